#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""manifests.py PARD - what conf/kubernetes and conf/cdi say is true of pard

Its socket's folder is the one of pard.socket, its options exist, its configuration is good, the groups and sizes that
are written twice agree, and the CDI file is as version 0.4.0 of that specification wants it.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
PROBLEMS = []
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def insist(condition, sentence):
    if not condition:
        PROBLEMS.append(sentence)


def documents(name):
    return list(yaml.safe_load_all((TOP / "conf/kubernetes" / name).read_text(encoding="utf-8")))


def socket_folder():
    unit = (TOP / "systemd/pard.socket").read_text(encoding="utf-8")
    return str(pathlib.Path(re.search(r"^ListenSequentialPacket=(.*)$", unit, re.M)[1]).parent)


def size(text):
    """64M, as pard says it, or 64Mi, as Kubernetes does: bytes."""
    number, unit = re.fullmatch(r"(\d+)([KMG])i?", text).groups()
    return int(number) * UNITS[unit]


def check_config(pard, text):
    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        result = subprocess.run([pard, "--check-config", "--config", file.name],
                                capture_output=True, text=True, check=False)
    insist(result.returncode == 0, f"the ConfigMap: {result.stderr.strip()}")


def check_arguments(pard, container):
    text = subprocess.run([pard, "--help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"--[a-z-]+", text))
    insist(container["command"] == ["pard"], "the DaemonSet's command is not pard")
    for argument in container["args"]:
        insist(not argument.startswith("--") or argument in known, f"pard knows no {argument}")


def mounted(pod, path):
    """The volume that the pod's container has at a path, and the mount."""
    (container,) = pod["containers"]
    (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == path]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    return volume, mount


def check_daemon(pard):
    config_map, daemon = documents("pard.yaml")
    text = config_map["data"]["pard.conf"]
    pod = daemon["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    labels = daemon["spec"]["template"]["metadata"]["labels"]

    insist((config_map["kind"], daemon["kind"]) == ("ConfigMap", "DaemonSet"), "pard.yaml: other kinds")
    insist(daemon["spec"]["selector"]["matchLabels"].items() <= labels.items(), "the selector does not select its pods")
    check_config(pard, text)
    check_arguments(pard, container)
    volume, mount = mounted(pod, socket_folder())
    insist(volume["hostPath"]["path"] == socket_folder(), "the host's folder is another than pard.socket's")
    insist(not mount.get("readOnly"), "pard cannot make its socket")
    folder = str(pathlib.Path(container["args"][container["args"].index("--config") + 1]).parent)
    volume, mount = mounted(pod, folder)
    insist(volume["configMap"]["name"] == config_map["metadata"]["name"], f"{folder} is not the ConfigMap's")
    limits = container["resources"]["limits"]
    sizes = sum(size(s) for s in re.findall(r'size_max *= *"(\w+)"', text))
    insist(size(limits["hugepages-2Mi"]) == sizes, f"hugepages-2Mi is not what the pools may have ({sizes} bytes)")
    insist("memory" in limits or "cpu" in limits, "hugepages alone are no request")
    return re.search(r'^group *= *"(\d+)"', text, re.M)[1]


def check_driver(group):
    (driver,) = documents("driver.yaml")
    pod = driver["spec"]
    volume, mount = mounted(pod, socket_folder())
    insist(driver["kind"] == "Pod", "driver.yaml: another kind")
    insist(volume["hostPath"] == {"path": socket_folder(), "type": "Directory"}, "the driver mounts something else")
    insist(mount["readOnly"] is True, "the driver may write to the socket's folder")
    insist([int(group)] == pod["securityContext"]["supplementalGroups"], f"the driver is not in pard's group, {group}")


def check_cdi():
    spec = json.loads((TOP / "conf/cdi/pard.json").read_text(encoding="utf-8"))
    insist(spec.keys() == {"cdiVersion", "kind", "devices"}, "CDI: other fields")
    # Mounts have a type since 0.4.0.
    insist(spec["cdiVersion"] == "0.4.0", "CDI: another version")
    insist(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z]([\w-]*[A-Za-z0-9])?",
                        spec["kind"]), "CDI: the kind is no VENDOR/CLASS")
    for device in spec["devices"]:
        insist(device.keys() == {"name", "containerEdits"}, "CDI: other fields of a device")
        insist(re.fullmatch(r"[A-Za-z]([\w.:-]*[A-Za-z0-9])?", device["name"]), "CDI: no name")
        insist(device["containerEdits"].keys() == {"mounts"}, "CDI: other edits")
        for mount in device["containerEdits"]["mounts"]:
            insist(mount.keys() == {"hostPath", "containerPath", "type", "options"}, "CDI: other fields of a mount")
            insist(mount["hostPath"] == mount["containerPath"] == socket_folder(), "CDI: another folder")
            insist({"bind", "ro"} <= set(mount["options"]), "CDI: no read-only bind mount")
    name = f"{spec['kind']}={spec['devices'][0]['name']}"
    insist(name in (TOP / "docs/containers.md").read_text(encoding="utf-8"), f"docs/containers.md does not name {name}")


def main():
    check_driver(check_daemon(sys.argv[1]))
    check_cdi()
    print("\n".join(PROBLEMS))
    sys.exit(bool(PROBLEMS))


main()
