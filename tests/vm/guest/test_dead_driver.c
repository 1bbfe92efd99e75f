/* SPDX-License-Identifier: MIT */
/*
 * Drivers that are killed, and what their devices may do meanwhile: memory stays in quarantine for
 * as long as the device is bus master, and no longer; what was hidden is free as soon as the kernel
 * says that no container has it.
 *
 *     test_dead_driver physical EDU NVME       addresses; no IOMMU
 *     test_dead_driver hidden EDU              bound to vfio-pci
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <grp.h>
#include <par.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_BYTES (2 * MiB)
#define POOL_BYTES   (16 * MiB)
#define SOON_NS      (60 * NS_PER_S)
#define LOOKS        8u /* seconds: the keeper looks each second at least, the pool's time is 5 */
#define USER         65030
#define GROUP        65001 /* of the socket */

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "group = \"65001\"\n"
                             "pool \"low\" { below = \"256M\" size_min = \"16M\" }\n"
                             "pool \"hidden\" { size_min = \"16M\" addresses = hidden }\n"
                             "device \"%s\" { pci = \"%s\" dma_bits = 28 }\n"
                             "device \"%s\" { pci = \"%s\" }\n";

static struct wire_client admin;

/* ---- drivers -------------------------------------------------------------------------------- */

/**
 * struct driver - one that was started
 * @pid:  of the process; @heir: of a child of it that has all its descriptors, or 0
 * @dma:  where its buffer is for the device
 */
struct driver {
        pid_t pid, heir;
        uint64_t dma;
};

static void become_user(void)
{
        if (setgroups(1, (const gid_t[]){ GROUP }) < 0 || setgid(USER) < 0 || setuid(USER) < 0)
                die("user: %s", strerror(errno));
}

/* Move something by the device: it works, up to the end. */
static void use_edu(const struct pci_device *edu, unsigned char *data, uint64_t dma)
{
        memset(data, 0x5a, 1024);
        insist(edu_fetch(edu, dma, 0, 1024), "fetch");
        insist(edu_store(edu, dma + 1024, 0, 1024), "store");
        if (memcmp(data, data + 1024, 1024) != 0)
                die("the device has wrong data");
}

/* A driver with a buffer for its device, which is bus master. Says what it has, and waits. */
static void __attribute__((__noreturn__))
drive(const char *address, const char *pool, bool is_edu, bool has_heir, int said)
{
        const struct par_connect_options names = { .client_name = "driver" };
        struct par_alloc_options options = { .pool = pool };
        struct driver me = { .pid = getpid() };
        struct par_device *device;
        struct par_buffer *buffer;
        struct pci_device pci;
        struct par *par;

        insist(pci_open(address, &pci), address);
        insist(par_connect(NULL, &names, &par), "connect");
        insist(par_device_open(par, address, &device), "device");
        if (pci.behind_iommu)
                insist(par_device_attach_vfio(device, pci.vfio.container), "attach");
        options.device = device;
        insist(par_alloc(par, BUFFER_BYTES, NULL, &options, &buffer), "buffer");
        me.dma = par_buffer_dma(buffer);
        if (is_edu)
                use_edu(&pci, par_buffer_data(buffer), me.dma);
        if (has_heir) {
                me.heir = fork();
                if (me.heir < 0)
                        die("fork: %s", strerror(errno));
        }
        if ((!has_heir || me.heir) && write(said, &me, sizeof(me)) != sizeof(me))
                die("cannot say so");
        close(said);
        for (;;)
                pause();
}

static void start(const char *address, const char *pool, bool is_edu, bool as_user, bool has_heir,
                  struct driver *ret)
{
        int said[2];
        pid_t pid;

        if (pipe(said))
                die("pipe: %s", strerror(errno));
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                if (as_user)
                        become_user();
                drive(address, pool, is_edu, has_heir, said[1]);
        }
        close(said[1]);
        if (read(said[0], ret, sizeof(*ret)) != sizeof(*ret))
                die("the driver of %s has no buffer", address);
        close(said[0]);
}

static void kill_driver(struct driver *driver)
{
        kill(driver->pid, SIGKILL);
        waitpid(driver->pid, NULL, 0);
}

/* ---- what becomes of the memory -------------------------------------------------------------- */

static const Wire__StateBytes *bytes_of(const char *pool)
{
        return wire_client_pool(&admin, pool)->bytes;
}

static void await_free(const char *pool, const char *what)
{
        uint64_t started = now_ns();

        while (bytes_of(pool)->free != POOL_BYTES) {
                if (now_ns() > started + SOON_NS)
                        die("%s: %llu bytes are in quarantine, %llu linger", what,
                            (unsigned long long)bytes_of(pool)->quarantined,
                            (unsigned long long)bytes_of(pool)->lingering);
                usleep(1000);
        }
        printf("%s: free after %llu ms\n", what,
               (unsigned long long)((now_ns() - started) / NS_PER_MS));
}

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

/* For longer than the pool's time, and for many looks. */
static void stays_in_quarantine(const char *address)
{
        uint64_t deadline = now_ns() + SOON_NS;
        char expected[64];

        snprintf(expected, sizeof(expected), "device %s is still bus master", address);
        while (bytes_of("low")->quarantined != BUFFER_BYTES || strcmp(note(), expected) != 0) {
                if (now_ns() > deadline)
                        die("it is not in quarantine for its device");
                usleep(1000);
        }
        for (unsigned i = 0; i < LOOKS; i++) {
                sleep(1);
                if (bytes_of("low")->quarantined != BUFFER_BYTES)
                        die("it left quarantine while the device is bus master");
        }
        printf("%s, and its memory in quarantine after %u s\n", expected, LOOKS);
}

/* ---- no IOMMU ------------------------------------------------------------------------------- */

static void physical(const char *edu, const char *nvme)
{
        struct pci_device device = { .registers = NULL };
        struct driver driver;

        start(edu, "low", true, false, false, &driver);
        kill_driver(&driver);
        stays_in_quarantine(edu);
        snprintf(device.address, sizeof(device.address), "%s", edu);
        insist(pci_set_master(&device, false), "bus master");
        await_free("low", "bus mastering taken away");

        /* The kernel saves the registers before a reset, and writes them back after it: nobody but
         * whoever reset the device knows. */
        start(nvme, "low", false, false, false, &driver);
        kill_driver(&driver);
        stays_in_quarantine(nvme);
        snprintf(device.address, sizeof(device.address), "%s", nvme);
        insist(pci_write_file(&device, "reset", "1"), "reset");
        stays_in_quarantine(nvme);
        insist(pci_set_master(&device, false), "bus master");
        await_free("low", "bus mastering taken away after a reset");

        /* What is not there writes nothing. */
        start(nvme, "low", false, false, false, &driver);
        kill_driver(&driver);
        stays_in_quarantine(nvme);
        insist(pci_write_file(&device, "remove", "1"), "remove");
        await_free("low", "the device pulled out");
}

/* ---- behind an IOMMU, with hidden addresses ---------------------------------------------------
 */

static void lingers(void)
{
        uint64_t deadline = now_ns() + SOON_NS;

        while (bytes_of("hidden")->lingering != BUFFER_BYTES) {
                if (now_ns() > deadline)
                        die("nothing lingers");
                usleep(1000);
        }
        for (unsigned i = 0; i < LOOKS; i++) {
                sleep(1);
                if (bytes_of("hidden")->lingering != BUFFER_BYTES)
                        die("it was let go of while a child has the container");
        }
        printf("a child has the container: lingering after %u s\n", LOOKS);
}

static void hidden(const char *edu)
{
        struct driver driver;

        for (unsigned i = 0; i < 3; i++) {
                start(edu, "hidden", true, true, false, &driver);
                if (bytes_of("hidden")->granted != BUFFER_BYTES)
                        die("the buffer is of another pool");
                kill_driver(&driver);
                await_free("hidden", "the driver is dead, and its container with it");
        }
        start(edu, "hidden", true, true, true, &driver);
        kill_driver(&driver);
        lingers();
        kill(driver.heir, SIGKILL);
        await_free("hidden", "the child is dead, too");
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        char text[1024];

        if (argc < 3)
                die("usage: test_dead_driver physical EDU NVME | hidden EDU");
        snprintf(text, sizeof(text), config, argv[2], argv[2], argc > 3 ? argv[3] : "other",
                 argc > 3 ? argv[3] : "ffff:ff:1f.7");
        pard_fixture_start_filled(text, &pard);
        wire_client_open(pard.socket, "admin", &admin);
        if (!strcmp(argv[1], "hidden"))
                hidden(argv[2]);
        else if (argc > 3)
                physical(argv[2], argv[3]);
        wire_client_close(&admin);
        pard_fixture_stop(&pard);
        return 0;
}
