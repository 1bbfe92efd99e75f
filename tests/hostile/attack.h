/* SPDX-License-Identifier: MIT */
/*
 * What a hostile client does, by name. An attack is a round that is played again and again, in
 * processes of another uid, until somebody ends them. A round that finds what must not be
 * (another's bytes, an answer that should have been a refusal) ends its process with a message,
 * through die(); everything else it bears.
 */
#pragma once

#include "random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Uids of those who take part. Only SOCKET_GROUP may connect. */
#define UID_GOOD     65100
#define UID_HOSTILE  65200 /* the first of them */
#define HOSTILE_UIDS 6
#define SOCKET_GROUP 65101

/**
 * struct victim - what hostile clients have found out about the well-behaved one, by whatever means
 * @token:   with which its session could be resumed
 * @buffers: numbers of what it has; 0: it has not begun
 * @canary:  each word of what it writes, for whoever sees it elsewhere
 */
struct victim {
        uint64_t token;
        uint64_t buffers[8];
        uint64_t canary;
};

/* Name of one of its buffers. */
#define VICTIM_NAME "ring"

/**
 * struct attacker - one hostile process
 * @nth:    of those that play this attack, from 0
 * @victim: shared memory; borrowed
 * @tries:  shared memory: what was tried so often; the round counts it
 */
struct attacker {
        struct random random;
        unsigned nth;
        const struct victim *victim;
        uint64_t *tries;
};

enum whose {
        ONE_STRANGER,   /* all processes have one uid */
        MANY_STRANGERS, /* each has another */
        NO_MEMBER,      /* one uid, without the socket's group */
};

/**
 * struct attack
 * @name:      by which it is run
 * @about:     what it does, in a line
 * @round:     played again and again
 * @processes: how many play it
 * @together:  and where all attacks are played at once
 * @real:      it is about frames, and means something on real hugepages only
 * @revoked:   an administrator revokes its buffers all the time, and no others
 * @optional:  there are systems that do not let anybody do it
 * @trick:     name of a trick on a frame (frame_tricks.h), for the round; NULL
 */
struct attack {
        const char *name, *about;
        void (*round)(struct attacker *attacker, const struct attack *attack);
        unsigned processes, together;
        enum whose whose;
        bool real, revoked, optional;
        const char *trick;
};

extern const struct attack attacks[];
extern const size_t n_attacks;

/* Die unless bytes are as they may be: @words of them zero or @own. */
void expect_own(const struct attacker *attacker, const uint64_t *words, size_t bytes, uint64_t own,
                const char *what);

/* Start a child that dies with its parent. Return: 0 in the child; its pid; it dies where there is
 * no process to be had. */
pid_t attacker_fork(void);

/* End it and wait for it. */
void attacker_end_child(pid_t child);

/* ---- packets: attack_packets.c --------------------------------------------------------------- */
typedef void attack_round(struct attacker *attacker, const struct attack *attack);

attack_round attack_flood_status, attack_flood_allocs, attack_costly_questions, attack_garbage,
        attack_mutations, attack_oversized, attack_empty, attack_truncated, attack_shutdown,
        attack_never_read, attack_read_slowly;

/* ---- who one is: attack_identity.c ----------------------------------------------------------- */
attack_round attack_forge_tokens, attack_replay_tokens, attack_foreign_buffers,
        attack_foreign_names, attack_guess_shares, attack_play_admin, attack_no_member;

/* ---- descriptors sent along: attack_descriptors.c -------------------------------------------- */
attack_round attack_send_kinds, attack_send_many, attack_send_lingering, attack_send_nested;

/* ---- limits, queues, connections: attack_queues.c -------------------------------------------- */
attack_round attack_quota, attack_batches, attack_waiting, attack_timeouts, attack_connects,
        attack_hellos, attack_strangers, attack_sessions, attack_stops, attack_deaths;

/* ---- frames: attack_frames.c ----------------------------------------------------------------- */
attack_round attack_trick, attack_punch_storm, attack_userfaultfd, attack_mlock, attack_orphans,
        attack_pass_on, attack_after_revoke, attack_path_later, attack_locks, attack_pipes;
