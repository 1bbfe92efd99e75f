/* SPDX-License-Identifier: MIT */
/*
 * Loaded before the C library, whose allocators it stands in for and calls. See heap_plan.h.
 * Without a plan it only passes on.
 */
#include "heap_plan.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The C library's own, under the names that it gives them for such as us. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

static struct heap_plan *plan;
static struct heap_process *self;
static _Thread_local bool looking_back; /* which may allocate itself */

static void note_callers(void)
{
        void *callers[HEAP_PLAN_CALLERS + 2] = { NULL };
        Dl_info info;

        looking_back = true;
        (void)backtrace(callers, HEAP_PLAN_CALLERS + 2);
        for (int i = 0; i < HEAP_PLAN_CALLERS; i++) {
                char *caller = plan->callers[i];

                caller[0] = '\0';
                if (dladdr(callers[i + 2], &info) && info.dli_fname)
                        snprintf(caller, HEAP_PLAN_CALLER_BYTES, "%s+%#tx", info.dli_fname,
                                 (char *)callers[i + 2] - (char *)info.dli_fbase);
        }
        looking_back = false;
        atomic_store(&plan->process, getpid());
}

static bool in(int caller, const char *library)
{
        return strstr(plan->callers[caller], library) != NULL;
}

/*
 * Three libraries end the process where they have no memory: libconfuse's lexer asserts that it
 * has, libseccomp 2.5 follows pointers to what it did not get, and glibc 2.36 writes to address 0
 * when it sets up its name services, which is five calls deep.
 */
static bool is_spared(void)
{
        bool deep = true;

        for (int i = 1; i < 6; i++)
                deep = deep && (in(i, "/libc.so.") || in(i, "/libnss_"));
        for (int i = 0; i < 4; i++)
                if (in(i, "/libconfuse.so") || in(i, "/libseccomp.so"))
                        return true;
        return deep;
}

static bool fails(void)
{
        unsigned long nth;

        if (!plan || !self || looking_back)
                return false;
        nth = atomic_load(&plan->nth);
        if (atomic_fetch_add(&plan->count, 1) + 1 != nth || !nth)
                return false;
        note_callers();
        atomic_store(is_spared() ? &plan->spared : &plan->failed, true);
        if (atomic_load(&plan->spared))
                return false;
        errno = ENOMEM;
        return true;
}

/* @sign: 1: it is had; -1: it is given back. */
static void *account(void *p, int sign)
{
        if (self && p) {
                atomic_fetch_add(&self->blocks, sign);
                atomic_fetch_add(&self->bytes, sign * (long)malloc_usable_size(p));
        }
        return p;
}

/* The C library's header gives its parameters names of its own. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
void *malloc(size_t size)
{
        return fails() ? NULL : account(__libc_malloc(size), 1);
}

void *calloc(size_t n, size_t size)
{
        return fails() ? NULL : account(__libc_calloc(n, size), 1);
}

void *realloc(void *p, size_t size)
{
        size_t before = p ? malloc_usable_size(p) : 0;
        void *q;

        if (fails())
                return NULL;
        q = __libc_realloc(p, size);
        if (self && (q || !size)) {
                atomic_fetch_add(&self->blocks, (q != NULL) - (p != NULL));
                atomic_fetch_add(&self->bytes,
                                 (long)(q ? malloc_usable_size(q) : 0) - (long)before);
        }
        return q;
}

void *reallocarray(void *p, size_t n, size_t size)
{
        size_t bytes;

        if (__builtin_mul_overflow(n, size, &bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        return realloc(p, bytes);
}

void *memalign(size_t align, size_t size)
{
        return fails() ? NULL : account(__libc_memalign(align, size), 1);
}

void *aligned_alloc(size_t align, size_t size)
{
        return memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
        void *p = memalign(align, size);

        if (!p)
                return ENOMEM;
        *ret = p;
        return 0;
}

void free(void *p)
{
        account(p, -1);
        __libc_free(p);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* A child is not counted before it is another program: what it frees was its parent's. */
static void forget_self(void)
{
        self = NULL;
}

static void __attribute__((__constructor__)) join_plan(void)
{
        const char *path = getenv(HEAP_PLAN_VARIABLE);
        struct heap_plan *mapped;
        void *callers[1];
        int fd;

        if (!path)
                return;
        (void)backtrace(callers, 1); /* which loads what it needs the first time */
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return;
        mapped = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (mapped == MAP_FAILED)
                return;
        pthread_atfork(NULL, NULL, forget_self);
        for (size_t i = 0; i < HEAP_PLAN_PROCESSES; i++) {
                pid_t nobody = 0;

                if (atomic_compare_exchange_strong(&mapped->processes[i].pid, &nobody, getpid())) {
                        plan = mapped;
                        self = &mapped->processes[i];
                        return;
                }
        }
}
