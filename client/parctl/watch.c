/* SPDX-License-Identifier: MIT */
/*
 * Owns the connection and, on a terminal, its screen: whatever ends the loop, or stops it for a
 * while, gives the screen back first.
 */
#include "watch.h"

#include "ask.h"
#include "complain.h"
#include "exits.h"
#include "macros.h"
#include "output.h"
#include "screen.h"
#include "show.h"
#include "stop.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t suspended, redraw;

static void on_signal(int number)
{
        if (number == SIGTSTP)
                suspended = 1;
        redraw = 1;
}

/**
 * struct watch - what is being watched
 * @ask:    NULL: not connected now
 * @screen: the terminal is taken
 * @text:   what the last turn printed, @size bytes; owned
 */
struct watch {
        const struct arguments *arguments;
        struct ask *ask;
        bool screen;
        char *text;
        size_t size;
};

/* One turn into watch->text, for a terminal as @output has it. Return: the exit status. */
static int look(struct watch *watch, struct output output)
{
        int status = EXIT_OTHER;

        free(watch->text);
        watch->text = NULL;
        output.stream = open_memstream(&watch->text, &watch->size);
        if (!output.stream) {
                complain("out of memory");
                return EXIT_OTHER;
        }
        /* A complaint would scroll the screen; it is shown in place of the list. */
        complain_to(watch->screen ? output.stream : NULL);
        status = watch->ask ? 0 : ask_open(watch->arguments->socket_path, &watch->ask);
        if (!status)
                status = show_once(watch->arguments, watch->ask, &output);
        complain_to(NULL);
        if (fclose(output.stream))
                status = EXIT_OTHER;
        if (status) {
                ask_close(watch->ask);
                watch->ask = NULL;
        }
        return status;
}

static void clock_text(const char *format, char *text, size_t room)
{
        const time_t now = time(NULL);
        struct tm tm;

        if (!localtime_r(&now, &tm) || !strftime(text, room, format, &tm))
                *text = '\0';
}

static void draw(const struct watch *watch, const struct output *terminal)
{
        const struct arguments *arguments = watch->arguments;
        char head[128], now[32];

        clock_text("%H:%M:%S", now, sizeof(now));
        snprintf(head, sizeof(head), " %s  parctl %s, every %u s; Ctrl-C ends ", now,
                 arguments->command->name, (unsigned)(arguments->watch_ns / NS_PER_S));
        screen_draw(terminal, head, watch->text ? watch->text : "");
}

/* As one line, however it was printed. */
static int print_json(const char *text)
{
        json_t *value = json_loads(text, 0, NULL);
        int r = value ? json_dumpf(value, stdout, JSON_PRESERVE_ORDER) : -1;

        json_decref(value);
        return r || putchar('\n') == EOF || fflush(stdout);
}

static int print_turn(const struct watch *watch)
{
        char now[64];

        if (watch->arguments->json)
                return print_json(watch->text);
        clock_text("%Y-%m-%dT%H:%M:%S%z", now, sizeof(now));
        printf("--- %s\n%s", now, watch->text);
        return fflush(stdout);
}

/* Stop as if SIGTSTP had not been caught, with the terminal as it was. */
static void suspend(void)
{
        screen_leave(stdout);
        raise(SIGSTOP);
        screen_enter(stdout);
}

static void wait_for_turn(uint64_t ns)
{
        sigset_t others;

        sigemptyset(&others);
        sigaddset(&others, SIGWINCH);
        sigaddset(&others, SIGTSTP);
        stop_wait_or(ns, &others, &redraw);
}

/* Turn after turn on a terminal; the first has been looked at. */
static void watch_terminal(struct watch *watch)
{
        const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

        sigaction(SIGWINCH, &action, NULL);
        sigaction(SIGTSTP, &action, NULL);
        screen_enter(stdout);
        watch->screen = true;
        while (!stop_signal()) {
                const struct output terminal = output_of(stdout, watch->arguments->no_color);
                struct output below = terminal;

                below.height -= below.height > 1; /* the line above */
                look(watch, below);
                if (stop_signal())
                        break;
                draw(watch, &terminal);
                if (ferror(stdout))
                        break;
                wait_for_turn(watch->arguments->watch_ns);
                redraw = 0;
                if (suspended)
                        suspend();
                suspended = 0;
        }
        screen_leave(stdout);
}

static int watch_lines(struct watch *watch)
{
        int status = 0;

        while (!status && !stop_signal()) {
                if (print_turn(watch)) {
                        complain("the list cannot be printed");
                        return EXIT_OTHER;
                }
                stop_wait(watch->arguments->watch_ns);
                if (!stop_signal())
                        status = look(watch, output_of(stdout, watch->arguments->no_color));
        }
        return stop_signal() ? EXIT_DONE : status;
}

int watch_run(const struct arguments *arguments)
{
        const struct output output = output_of(stdout, arguments->no_color);
        struct watch watch = { .arguments = arguments };
        int status;

        stop_prepare();
        /* What fails at once fails as it does without --watch. */
        status = look(&watch, output);
        if (!status && output.terminal && !arguments->json)
                watch_terminal(&watch);
        else if (!status)
                status = watch_lines(&watch);
        ask_close(watch.ask);
        free(watch.text);
        return stop_signal() ? EXIT_DONE : status;
}
