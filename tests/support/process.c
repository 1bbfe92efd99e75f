/* SPDX-License-Identifier: MIT */
/* Owns nothing. Whatever /proc does not tell ends the test: nothing could be said without it. */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 96

void die(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        exit(EXIT_FAILURE);
}

uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

unsigned process_descriptors(pid_t pid)
{
        char path[PATH_BYTES];
        unsigned count = 0;
        DIR *directory;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        directory = opendir(path);
        if (!directory)
                die("%s: %s", path, strerror(errno));
        for (struct dirent *entry; (entry = readdir(directory));)
                count += entry->d_name[0] != '.';
        closedir(directory);
        return count;
}

long process_resident_kib(pid_t pid)
{
        char path[PATH_BYTES], line[256];
        long kib = -1;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "re");
        if (!file)
                die("%s: %s", path, strerror(errno));
        while (kib < 0 && fgets(line, sizeof(line), file))
                if (strncmp(line, "RssAnon:", 8) == 0)
                        kib = strtol(line + 8, NULL, 10);
        fclose(file);
        if (kib < 0)
                die("%s has no RssAnon", path);
        return kib;
}

uint64_t process_waited_ns(pid_t pid)
{
        char path[PATH_BYTES], line[96], *end;
        uint64_t waited_ns = 0;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)(pid ? pid : getpid()));
        file = fopen(path, "re");
        if (!file)
                return 0;
        if (fgets(line, sizeof(line), file)) {
                (void)strtoull(line, &end, 10); /* time on a processor */
                waited_ns = strtoull(end, NULL, 10);
        }
        fclose(file);
        return waited_ns;
}

pid_t process_child(pid_t pid)
{
        char path[PATH_BYTES], line[256] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
        file = fopen(path, "re");
        if (!file)
                return 0;
        if (!fgets(line, sizeof(line), file))
                line[0] = '\0';
        fclose(file);
        return (pid_t)strtol(line, NULL, 10);
}

static void run_child(const char *const argv[], int output_fd)
{
        if (output_fd >= 0)
                dup2(output_fd, STDOUT_FILENO);
        if (strcmp(argv[0], "parctl") == 0)
                execv(PARCTL_PATH, (char *const *)argv);
        else
                execvp(argv[0], (char *const *)argv);
        _exit(127);
}

static void read_all(int fd, char *output, size_t room)
{
        size_t used = 0;
        ssize_t n;

        /* To the end, also where there is no more room: or the program would wait for us. */
        do {
                char rest[4096];
                int fits = used + 1 < room;

                n = read(fd, fits ? output + used : rest, fits ? room - used - 1 : sizeof(rest));
                if (n > 0 && fits)
                        used += (size_t)n;
        } while (n > 0 || (n < 0 && errno == EINTR));
        output[used] = '\0';
}

int run_program(const char *const argv[], char *output, size_t room)
{
        int ends[2] = { -1, -1 }, status;
        pid_t pid;

        if (output && pipe(ends) < 0)
                die("pipe: %s", strerror(errno));
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0)
                run_child(argv, ends[1]);
        if (output) {
                close(ends[1]);
                read_all(ends[0], output, room);
                close(ends[0]);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        die("waitpid: %s", strerror(errno));
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
