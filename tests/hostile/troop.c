/* SPDX-License-Identifier: MIT */
/*
 * Owns the processes. Invariant: each soldier leads a process group in which all its children are,
 * so that none of them is left when the group was killed; who lost its parent is ours.
 */
#include "troop.h"

#include "identity.h"
#include "line.h"
#include "macros.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 4096 /* of a hostile process */
#define NO_GROUP    65199

pid_t attacker_fork(void)
{
        pid_t pid = fork();

        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0)
                prctl(PR_SET_PDEATHSIG, SIGKILL);
        return pid;
}

void attacker_end_child(pid_t child)
{
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
}

static void __attribute__((__noreturn__))
fight(const struct soldier *soldier, const struct victim *victim, uint64_t *tries)
{
        const struct rlimit many = { DESCRIPTORS, DESCRIPTORS };
        struct attacker attacker = { .random = { (uint64_t)getpid() },
                                     .nth = soldier->nth,
                                     .victim = victim,
                                     .tries = tries };

        (void)setrlimit(RLIMIT_NOFILE, &many);
        identity_become(soldier->uid,
                        soldier->attack->whose == NO_MEMBER ? NO_GROUP : SOCKET_GROUP);
        line_call_clients(soldier->attack->revoked ? "revoked" : "hostile");
        for (;;)
                soldier->attack->round(&attacker, soldier->attack);
}

static void start(struct troop *troop, size_t i)
{
        struct soldier *soldier = &troop->soldiers[i];

        fflush(NULL);
        soldier->pid = fork();
        if (soldier->pid < 0)
                die("fork: %s", strerror(errno));
        if (soldier->pid == 0) {
                setpgid(0, 0);
                fight(soldier, troop->victim, &troop->tries[i]);
        }
        setpgid(soldier->pid, soldier->pid);
}

void troop_init(struct troop *troop, const struct victim *victim)
{
        *troop = (struct troop){ .victim = victim };
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        troop->tries = mmap(NULL, TROOP_MAX * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (troop->tries == MAP_FAILED)
                die("shared memory: %s", strerror(errno));
}

void troop_add(struct troop *troop, const struct attack *attack, unsigned processes,
               unsigned first_uid)
{
        for (unsigned i = 0; i < processes; i++) {
                unsigned further = attack->whose == MANY_STRANGERS ? i : 0;

                if (troop->count == TROOP_MAX)
                        die("at most %d hostile processes", TROOP_MAX);
                troop->soldiers[troop->count] = (struct soldier){
                        .attack = attack,
                        .nth = i,
                        .uid = UID_HOSTILE + (first_uid + further) % HOSTILE_UIDS,
                };
                start(troop, troop->count++);
        }
}

/* Kill a soldier's group and wait until nobody is left of it. */
static void end_group(const struct soldier *soldier)
{
        kill(-soldier->pid, SIGKILL);
        while (waitpid(-soldier->pid, NULL, 0) > 0 || errno == EINTR)
                kill(-soldier->pid, SIGKILL);
}

void troop_look(struct troop *troop)
{
        for (size_t i = 0; i < troop->count; i++) {
                struct soldier *soldier = &troop->soldiers[i];
                int status;

                if (waitpid(soldier->pid, &status, WNOHANG) == 0)
                        continue;
                if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGBUS)
                        die("%s: a hostile process ended with 0x%x", soldier->attack->name,
                            (unsigned)status);
                end_group(soldier);
                start(troop, i);
        }
}

uint64_t troop_tries(const struct troop *troop, const struct attack *attack)
{
        uint64_t tries = 0;

        for (size_t i = 0; i < troop->count; i++)
                if (troop->soldiers[i].attack == attack)
                        tries += troop->tries[i];
        return tries;
}

void troop_end(struct troop *troop)
{
        /* All are killed before any is waited for: who is left would go on meanwhile. */
        for (size_t i = 0; i < troop->count; i++)
                kill(-troop->soldiers[i].pid, SIGKILL);
        for (size_t i = 0; i < troop->count; i++)
                end_group(&troop->soldiers[i]);
}

void troop_deinit(struct troop *troop)
{
        munmap(troop->tries, TROOP_MAX * sizeof(uint64_t));
}
