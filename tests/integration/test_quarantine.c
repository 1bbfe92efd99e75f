/* SPDX-License-Identifier: MIT */
/*
 * Drivers that are killed: what becomes of their memory, through the daemon's two processes. The
 * memory is invented; the devices are this machine's own, which are looked at and not touched: one
 * that is bus master, one that is not, and one that is not there at all.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "units.h"
#include "wire_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <par.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES   (32 * MiB)
#define BUFFER_BYTES (2 * MiB)
#define SOON_NS      (20 * NS_PER_S)
#define LOOKS        20u /* at what does not change: more than a second of the keeper's own */
#define ABSENT       "ffff:fe:1f.7"
#define SYSFS        "/sys/bus/pci/devices"
#define ORDINARY_UID 65534u
#define CONFIG                                                                            \
        "backend = \"sim\"\n"                                                             \
        "sim { extent \"low\" { first = \"1G\" size = \"1G\" page_size = \"2M\" } }\n"    \
        "pool \"any\" { size_min = \"32M\" }\n"                                           \
        "pool \"limited\" { size_min = \"32M\" quarantine = \"50ms\" }\n"                 \
        "pool \"patient\" { size_min = \"32M\" quarantine = \"1h\" }\n"                   \
        "pool \"hidden\" { size_min = \"32M\" addresses = hidden quarantine = \"1h\" }\n" \
        "device \"absent\" { pci = \"" ABSENT "\" }\n"                                    \
        "pci \"" ABSENT "\" { dma_mask_bits = 64 }\n"

static struct wire_client admin;

/* ---- this machine's devices ------------------------------------------------------------------ */

static bool is_master(const char *address)
{
        unsigned char command[2] = { 0 };
        char path[512];
        int fd;

        snprintf(path, sizeof(path), SYSFS "/%s/config", address);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        if (pread(fd, command, sizeof(command), 4) != sizeof(command))
                command[0] = 0;
        close(fd);
        return command[0] & 4;
}

/* Return: whether there is such a device; *ret is its address. */
static bool find_device(bool master, char *ret, size_t room)
{
        const struct dirent *entry;
        bool found = false;
        DIR *dir;

        dir = opendir(SYSFS);
        if (!dir)
                return false;
        while (!found && (entry = readdir(dir))) {
                if (entry->d_name[0] == '.' || is_master(entry->d_name) != master)
                        continue;
                snprintf(ret, room, "%.12s", entry->d_name);
                found = true;
        }
        closedir(dir);
        return found;
}

/* ---- drivers -------------------------------------------------------------------------------- */

/* Get a buffer, say so, and wait for the end. */
static void __attribute__((__noreturn__)) drive(const char *pool, const char *device, int said)
{
        const struct par_connect_options names = { .client_name = "driver" };
        struct par_alloc_options options = { .pool = pool };
        struct par_device *opened = NULL;
        struct par_buffer *buffer;
        struct par *par;

        if (par_connect(NULL, &names, &par))
                die("connect: %s", par_error(NULL));
        if (device && par_device_open(par, device, &opened))
                die("device %s: %s", device, par_error(par));
        options.device = opened;
        if (par_alloc(par, BUFFER_BYTES, NULL, &options, &buffer))
                die("buffer of pool %s: %s", pool, par_error(par));
        if ((par_buffer_dma(buffer) == PAR_PHYS_NONE) != !strcmp(pool, "hidden"))
                die("a buffer of pool %s at %#llx", pool,
                    (unsigned long long)par_buffer_dma(buffer));
        if (write(said, "", 1) != 1)
                die("cannot say so");
        for (;;)
                pause();
}

/* A driver that has a buffer, and was killed. */
static void kill_a_driver(const char *pool, const char *device, uid_t uid)
{
        int said[2], status;
        char byte;
        pid_t pid;

        if (pipe(said))
                die("pipe: %s", strerror(errno));
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                if (uid && setuid(uid))
                        die("setuid: %s", strerror(errno));
                drive(pool, device, said[1]);
        }
        close(said[1]);
        if (read(said[0], &byte, 1) != 1)
                die("the driver has no buffer");
        close(said[0]);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
}

/* ---- what becomes of it ---------------------------------------------------------------------- */

static uint64_t quarantined(const char *pool)
{
        return wire_client_pool(&admin, pool)->bytes->quarantined;
}

static void await_free(const char *pool, const char *what)
{
        uint64_t deadline = now_ns() + SOON_NS;

        while (wire_client_pool(&admin, pool)->bytes->free != POOL_BYTES) {
                if (now_ns() > deadline)
                        die("%s: not all of pool %s is free, %llu bytes are in quarantine", what,
                            pool, (unsigned long long)quarantined(pool));
                usleep(1000);
        }
        printf("%s: free\n", what);
}

static void await_quarantine(const char *pool)
{
        uint64_t deadline = now_ns() + SOON_NS;

        while (quarantined(pool) != BUFFER_BYTES) {
                if (now_ns() > deadline)
                        die("nothing of pool %s came into quarantine", pool);
                usleep(1000);
        }
}

/* Why the only buffer is in quarantine. */
static const char *note(void)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;

        request.body_case = WIRE__REQUEST__BODY_BUFFERS;
        request.buffers = &list;
        reply = wire_client_ask(&admin, &request);
        if (reply->result || reply->buffers->n_buffers != 1)
                die("there is no one buffer");
        return reply->buffers->buffers[0]->note;
}

static void await_note(const char *expected)
{
        uint64_t deadline = now_ns() + SOON_NS;

        while (strcmp(note(), expected) != 0) {
                if (now_ns() > deadline)
                        die("\"%s\", not \"%s\"", note(), expected);
                usleep(1000);
        }
        printf("%s\n", expected);
}

static void release(void)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection which = WIRE__SELECTION__INIT;

        which.client_name = (char *)(uintptr_t) "driver";
        request.body_case = WIRE__REQUEST__BODY_RELEASE;
        request.release = &which;
        if (wire_client_ask(&admin, &request)->result)
                die("nothing could be released");
}

/* A device that goes on, for many looks of the keeper's. */
static void stays_master(const char *address)
{
        char expected[64];

        kill_a_driver("any", "master", 0);
        await_quarantine("any");
        snprintf(expected, sizeof(expected), "device %s is still bus master", address);
        await_note(expected);
        for (unsigned i = 0; i < LOOKS; i++) {
                usleep(100000);
                if (quarantined("any") != BUFFER_BYTES)
                        die("it left quarantine");
        }
        release();
        await_free("any", "a device that stays bus master, released by an administrator");
        kill_a_driver("limited", "master", 0);
        await_free("limited", "a device that stays bus master, and a time that is configured");
}

int main(void)
{
        char master[16], quiet[16], config[4096];
        bool has_master = find_device(true, master, sizeof(master));
        bool has_quiet = find_device(false, quiet, sizeof(quiet));
        struct pard_fixture pard;
        int n;

        n = snprintf(config, sizeof(config), "%s", CONFIG);
        if (has_master)
                n += snprintf(config + n, sizeof(config) - (size_t)n,
                              "device \"master\" { pci = \"%s\" }\n", master);
        if (has_quiet)
                snprintf(config + n, sizeof(config) - (size_t)n,
                         "device \"quiet\" { pci = \"%s\" }\n", quiet);
        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "admin", &admin);

        kill_a_driver("any", "absent", 0);
        await_free("any", "a device that is not there");
        if (has_quiet) {
                kill_a_driver("any", "quiet", 0);
                await_free("any", "a device that is not bus master");
        }
        if (has_master)
                stays_master(master);
        kill_a_driver("patient", NULL, 0);
        await_quarantine("patient");
        await_note("no PCI device was named");
        release();
        await_free("patient", "no device");
        if (geteuid() == 0) {
                kill_a_driver("hidden", NULL, ORDINARY_UID);
                await_free("hidden", "addresses that it did not know");
                kill_a_driver("hidden", NULL, 0);
                await_quarantine("hidden");
                release();
                await_free("hidden", "addresses that root could have looked up");
        }

        wire_client_close(&admin);
        pard_fixture_stop(&pard);
        return 0;
}
