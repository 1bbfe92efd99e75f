/* SPDX-License-Identifier: MIT */
/*
 * Owns the daemon's process and directory, which are gone when the test program has ended, however
 * it did. Refuses to go on where the daemon misbehaves: the test program ends, with the daemon's
 * own words.
 */
#include "pard_fixture.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 180000
#define STOP_MS  60000
#define PAGES_MS 60000
#define NOBODY   65534

static const char nr_hugepages[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

const char pard_config_sim[] =
        "backend = \"sim\"\n"
        "sim {\n"
        "  extent \"low\" { first = \"16M\" last = \"0x3fffffff\" page_size = \"2M\" }\n"
        "  extent \"high\" { first = \"4G\" size = \"4G\" page_size = \"2M\" }\n"
        "}\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"64M\" }\n"
        "pool \"below1g\" { below = \"1G\" page_size = \"2M\" size_min = \"32M\" }\n"
        "device \"capture0\" { dma_bits = 30 boundary = \"64K\" max_segments = 1 }\n";

const char pard_config_hugetlb[] = "backend = \"hugetlb\"\n"
                                   "hugepages = \"reserve\"\n"
                                   "keep_free = \"512M\"\n"
                                   "pool \"any\" { page_size = \"2M\" size_min = \"128M\" }\n";

/* The daemon that is running, for when the test program ends early; and whose it is, since children
 * of the test end, too. */
static struct pard_fixture running;
static pid_t running_owner;

static long read_number(const char *path)
{
        char text[32] = "";
        FILE *file = fopen(path, "re");
        long number = -1;

        if (!file)
                return -1;
        if (fgets(text, sizeof(text), file))
                number = strtol(text, NULL, 10);
        fclose(file);
        return number;
}

void pard_fixture_configure(const struct pard_fixture *pard, const char *config)
{
        char path[128], fresh[128];
        FILE *file;

        snprintf(path, sizeof(path), "%s/pard.conf", pard->directory);
        snprintf(fresh, sizeof(fresh), "%s/fresh.conf", pard->directory);
        file = fopen(fresh, "we");
        if (!file)
                die("%s: %s", path, strerror(errno));
        /* The worker is to have no privilege, whoever runs the test. */
        fprintf(file, "socket = \"%s\"\n%suser = \"%u\"\n%s", pard->socket,
                strstr(config, "mode = ") ? "" : "mode = \"0666\"\n",
                getuid() == 0 ? NOBODY : getuid(), config);
        if (fclose(file) != 0 || rename(fresh, path) < 0)
                die("%s: %s", path, strerror(errno));
}

static int open_notify_socket(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd;

        strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            chmod(path, 0777) < 0) /* as the service manager's is */
                die("%s: %s", path, strerror(errno));
        return fd;
}

static void run_daemon(const struct pard_fixture *pard, const char *notify, pid_t parent)
{
        char config[128];
        int log;

        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(1);
        snprintf(config, sizeof(config), "%s/pard.conf", pard->directory);
        log = open(pard->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log < 0 || dup2(log, STDERR_FILENO) < 0)
                _exit(1);
        setenv("NOTIFY_SOCKET", notify, 1);
        execl(PARD_PATH, "pard", "--config", config, (char *)NULL);
        _exit(127);
}

/* 0; -1 and how it ended, where it did instead. */
static int wait_until_ready(const struct pard_fixture *pard, int notify, int *ret_status)
{
        uint64_t deadline = now_ns() + START_MS * UINT64_C(1000000);
        char message[1024];

        while (now_ns() < deadline) {
                struct pollfd poll_notify = { .fd = notify, .events = POLLIN };
                ssize_t n;

                if (waitpid(pard->pid, ret_status, WNOHANG) != 0) {
                        running.pid = 0;
                        return -1;
                }
                if (poll(&poll_notify, 1, 50) <= 0)
                        continue;
                n = recv(notify, message, sizeof(message) - 1, MSG_DONTWAIT);
                if (n <= 0)
                        continue;
                message[n] = '\0';
                if (strstr(message, "READY=1"))
                        return 0;
        }
        pard_fixture_show_log(pard);
        kill(pard->pid, SIGKILL);
        die("pard did not come up");
}

static void remove_directory(const struct pard_fixture *pard)
{
        const char *const remove[] = { "rm", "-rf", pard->directory, NULL };

        run_program(remove, NULL, 0);
}

static void clean_up(void)
{
        if (!running.directory[0] || getpid() != running_owner)
                return;
        if (running.pid) {
                kill(running.pid, SIGTERM);
                waitpid(running.pid, NULL, 0);
        }
        remove_directory(&running);
}

static void note_running(const struct pard_fixture *pard)
{
        if (running_owner == 0)
                atexit(clean_up);
        running_owner = getpid();
        running = *pard;
}

/* The kernel undoes the pins of a process that has ended a moment later. Nobody else changes the
 * number meanwhile: tests with real hugepages run one at a time. */
static long wait_for_hugepages(long expected)
{
        uint64_t deadline = now_ns() + PAGES_MS * UINT64_C(1000000);
        long hugepages;

        while ((hugepages = read_number(nr_hugepages)) != expected && now_ns() < deadline)
                usleep(5000);
        return hugepages;
}

void pard_fixture_expect_hugepages(const struct pard_fixture *pard)
{
        long hugepages;

        if (pard->hugepages_before < 0)
                return;
        hugepages = wait_for_hugepages(pard->hugepages_before);
        if (hugepages == pard->hugepages_before)
                return;
        pard_fixture_show_log(pard);
        die("%ld hugepages before, %ld after", pard->hugepages_before, hugepages);
}

int pard_fixture_try(const char *config, struct pard_fixture *ret, int *ret_status)
{
        struct pard_fixture pard = { .hugepages_before = -1 };
        char notify_path[96];
        pid_t parent = getpid();
        int notify, r;

        if (strstr(config, "\"hugetlb\""))
                pard.hugepages_before = read_number(nr_hugepages);
        snprintf(pard.directory, sizeof(pard.directory), "/tmp/par-test.XXXXXX");
        if (!mkdtemp(pard.directory))
                die("%s: %s", pard.directory, strerror(errno));
        /* Clients of the test may have another uid. */
        if (chmod(pard.directory, 0755) < 0)
                die("%s: %s", pard.directory, strerror(errno));
        /* pard removes what it made there, and is no longer root then. */
        if (getuid() == 0 && chown(pard.directory, NOBODY, NOBODY) < 0)
                die("%s: %s", pard.directory, strerror(errno));
        snprintf(pard.socket, sizeof(pard.socket), "%s/pard.sock", pard.directory);
        snprintf(pard.log, sizeof(pard.log), "%s/log", pard.directory);
        snprintf(notify_path, sizeof(notify_path), "%s/notify", pard.directory);
        pard_fixture_configure(&pard, config);
        notify = open_notify_socket(notify_path);

        fflush(NULL);
        pard.pid = fork();
        if (pard.pid < 0)
                die("fork: %s", strerror(errno));
        if (pard.pid == 0)
                run_daemon(&pard, notify_path, parent);
        note_running(&pard);
        r = wait_until_ready(&pard, notify, ret_status);
        close(notify);
        unlink(notify_path);
        setenv("PAR_SOCKET", pard.socket, 1);
        *ret = pard;
        return r;
}

void pard_fixture_start(const char *config, struct pard_fixture *ret)
{
        int status;

        if (!pard_fixture_try(config, ret, &status))
                return;
        pard_fixture_show_log(ret);
        die("pard ended before it served");
}

void pard_fixture_forget(struct pard_fixture *pard)
{
        pard_fixture_expect_hugepages(pard);
        remove_directory(pard);
        running.directory[0] = '\0';
        pard->pid = 0;
}

void pard_fixture_start_filled(const char *config, struct pard_fixture *ret)
{
        static const char *const status[] = { "parctl", "--json", "status", NULL };
        uint64_t deadline;
        char text[8192];

        pard_fixture_start(config, ret);
        deadline = now_ns() + START_MS * UINT64_C(1000000);
        while (run_program(status, text, sizeof(text)) != 0 || strstr(text, "\"filling\"")) {
                if (now_ns() > deadline) {
                        pard_fixture_show_log(ret);
                        die("the pools are not filled: %s", text);
                }
                usleep(20000);
        }
}

static int wait_for_end(const struct pard_fixture *pard)
{
        uint64_t deadline = now_ns() + STOP_MS * UINT64_C(1000000);
        int status;

        while (now_ns() < deadline) {
                if (waitpid(pard->pid, &status, WNOHANG) == pard->pid)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                usleep(5000);
        }
        pard_fixture_show_log(pard);
        kill(pard->pid, SIGKILL);
        die("pard does not stop");
}

void pard_fixture_stop(struct pard_fixture *pard)
{
        int status;

        kill(pard->pid, SIGTERM);
        status = wait_for_end(pard);
        running.pid = 0;
        if (status) {
                pard_fixture_show_log(pard);
                die("pard ended with status %d", status);
        }
        pard_fixture_forget(pard);
}

pid_t pard_fixture_worker(const struct pard_fixture *pard)
{
        return process_child(pard->pid);
}

void pard_fixture_show_log(const struct pard_fixture *pard)
{
        char line[1024];
        FILE *file = fopen(pard->log, "re");

        if (!file)
                return;
        while (fgets(line, sizeof(line), file))
                fputs(line, stderr);
        fclose(file);
}

void require_hugepages(unsigned mebibytes)
{
        char line[256];
        long available_kib = 0;
        FILE *file;

        if (getuid() != 0 || access(nr_hugepages, W_OK) < 0) {
                printf("skipped: real hugepages take root, and a system that has them\n");
                exit(EXIT_SKIPPED);
        }
        file = fopen("/proc/meminfo", "re");
        while (file && fgets(line, sizeof(line), file))
                if (strncmp(line, "MemAvailable:", 13) == 0)
                        available_kib = strtol(line + 13, NULL, 10);
        if (file)
                fclose(file);
        if (available_kib < (2L * mebibytes + 1024) * 1024) {
                printf("skipped: %ld MiB are available, %u MiB of hugepages are wanted\n",
                       available_kib / 1024, mebibytes);
                exit(EXIT_SKIPPED);
        }
}
