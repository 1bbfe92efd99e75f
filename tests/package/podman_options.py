#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""podman_options.py MANIFEST FOLDER - how podman runs the container of a manifest for Kubernetes

Prints what follows "podman run": options but --rootfs, a line "--", command and arguments; one a line.
Mounts of hostPath lie where they say, those of a ConfigMap in FOLDER, which gets its files. What it does not know it
refuses: no field of the manifest goes unlooked at.
"""
import pathlib
import sys

import yaml

IGNORED = {  # what a cluster does, and podman does not
    "nodeSelector", "priorityClassName", "automountServiceAccountToken", "terminationGracePeriodSeconds",
    "restartPolicy",
}


def take(fields, key, default=None):
    """Remove a field, and return it."""
    return fields.pop(key, default)


def refuse_rest(fields, where):
    if fields:
        sys.exit(f"{where}: not known here: {', '.join(fields)}")


def user_options(pod, container):
    uid = take(container, "runAsUser", pod.pop("runAsUser", None))
    gid = pod.pop("runAsGroup", None)
    if pod.pop("runAsNonRoot", False) and not uid:
        sys.exit("runAsNonRoot and root")
    yield f"--user={uid}" + (f":{gid}" if gid is not None else "")
    for group in pod.pop("supplementalGroups", []):
        yield f"--group-add={group}"
    refuse_rest(pod, "securityContext of the pod")


def privilege_options(context):
    capabilities = take(context, "capabilities", {})
    for what in ("drop", "add"):
        for name in take(capabilities, what, []):
            yield f"--cap-{what}={name}"
    refuse_rest(capabilities, "capabilities")
    if take(context, "allowPrivilegeEscalation", True) is False:
        yield "--security-opt=no-new-privileges"
    if take(context, "readOnlyRootFilesystem", False):
        yield "--read-only"
    profile = take(context, "seccompProfile")["type"]
    if profile == "Unconfined":
        yield "--security-opt=seccomp=unconfined"
    elif profile != "RuntimeDefault":
        sys.exit(f"seccompProfile: {profile}")
    refuse_rest(context, "securityContext")


def volume_source(volume, config_maps, folder):
    if "hostPath" in volume:
        if volume["hostPath"]["type"] not in ("Directory", "DirectoryOrCreate"):
            sys.exit(f"{volume['name']}: not a directory")
        return volume["hostPath"]["path"]
    for name, text in config_maps[volume["configMap"]["name"]].items():
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder)


def mount_options(container, volumes, config_maps, folder):
    for mount in take(container, "volumeMounts"):
        source = volume_source(volumes.pop(mount["name"]), config_maps, folder)
        yield f"--volume={source}:{mount['mountPath']}" + (":ro" if mount.get("readOnly") else "")
    refuse_rest(volumes, "volumes that nobody mounts")


def main():
    documents = list(yaml.safe_load_all(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")))
    folder = pathlib.Path(sys.argv[2])
    config_maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    (owner,) = [d for d in documents if d["kind"] in ("Pod", "DaemonSet")]
    pod = owner["spec"] if owner["kind"] == "Pod" else owner["spec"]["template"]["spec"]
    (container,) = take(pod, "containers")
    volumes = {volume["name"]: volume for volume in take(pod, "volumes")}
    context = take(container, "securityContext")

    options = list(user_options(take(pod, "securityContext", {}), context))
    options += privilege_options(context)
    options += mount_options(container, volumes, config_maps, folder)
    command = take(container, "command") + take(container, "args", [])
    for field in ("name", "image", "resources", "readinessProbe"):
        take(container, field)
    refuse_rest(container, "container")
    refuse_rest({key: value for key, value in pod.items() if key not in IGNORED}, "pod")
    print("\n".join(options + ["--"] + command))


main()
