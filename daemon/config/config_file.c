/* SPDX-License-Identifier: MIT */
/*
 * Owns the parser's tree and its tables, made from the list of keys. libconfuse does the grammar
 * only: all values are read as text, because its own numbers know neither units nor ranges. A key
 * may be set once; what is set again is refused instead of silently winning.
 */
#include "config_file.h"

#include "config.h"
#include "config_text.h"
#include "config_unknown.h"
#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION_KEYS_MAX 32

/**
 * struct key_line - where a key was set
 * @opt:   the key in its section of the tree; borrowed
 * @line:  from 1
 * @calls: how often the parser reported it: once, or for a list once an element and once more
 */
struct key_line {
        const cfg_opt_t *opt;
        unsigned line;
        unsigned calls;
};

/* The parser's tables. They must live as long as the tree. */
struct config_opts {
        cfg_opt_t top[SECTION_KEYS_MAX], pool[SECTION_KEYS_MAX], device[SECTION_KEYS_MAX];
        cfg_opt_t bus_window[SECTION_KEYS_MAX], pci[SECTION_KEYS_MAX];
        cfg_opt_t sim[SECTION_KEYS_MAX], extent[SECTION_KEYS_MAX];
        cfg_opt_t quota[SECTION_KEYS_MAX], claim[SECTION_KEYS_MAX];
};

/* The parser's callbacks have no argument of ours: whose file it is that is being parsed. */
static struct config_file *current;

static void fail_plain(struct config_file *file, unsigned line, const char *sentence)
{
        if (!file->failed)
                snprintf(file->error, file->error_bytes, "%s:%u: %s", file->name, line, sentence);
        file->failed = true;
}

/* Return: how many bytes of a sentence say which section it is about. */
static int section_words(const struct config_file *file, cfg_t *section, char *sentence,
                         size_t room)
{
        const char *title = cfg_title(section);

        if (section == file->root)
                return 0;
        return snprintf(sentence, room, title ? "%s \"%.70s\": " : "%s: ", cfg_name(section),
                        title);
}

int config_fail(struct config_file *file, cfg_t *section, const char *key, const char *format, ...)
{
        cfg_t *at = section ? section : file->root;
        unsigned line = file->last_line;
        char sentence[512];
        va_list args;
        int n = 0;

        if (section)
                n = section_words(file, section, sentence, sizeof(sentence));
        if (key)
                n += snprintf(sentence + n, sizeof(sentence) - (size_t)n, "%s: ", key);
        va_start(args, format);
        vsnprintf(sentence + n, sizeof(sentence) - (size_t)n, format, args);
        va_end(args);

        if (key)
                line = config_line(file, at, key);
        else if (at != file->root)
                line = (unsigned)at->line;
        fail_plain(file, line, sentence);
        return -EINVAL;
}

/* The parser's own words, but of a key that does not exist: it does not say what was meant. */
static void on_parse_error(cfg_t *cfg, const char *format, va_list args)
{
        char sentence[512];
        int n;

        if (strcmp(format, "no such option '%s'") == 0) {
                n = section_words(current, cfg, sentence, sizeof(sentence));
                config_unknown_words(current->root, cfg, va_arg(args, const char *), sentence + n,
                                     sizeof(sentence) - (size_t)n);
        } else {
                vsnprintf(sentence, sizeof(sentence), format, args);
        }
        fail_plain(current, (unsigned)cfg->line, sentence);
}

static struct key_line *find_line(const struct config_file *file, const cfg_opt_t *opt)
{
        for (size_t i = 0; i < file->n_lines; i++)
                if (file->lines[i].opt == opt)
                        return &file->lines[i];
        return NULL;
}

static int on_set(cfg_t *cfg, cfg_opt_t *opt)
{
        struct config_file *file = current;
        struct key_line *lines, *known = find_line(file, opt);
        bool is_list = opt->flags & CFGF_LIST;

        if (known) {
                if (!is_list || ++known->calls > cfg_opt_size(opt) + 1) {
                        cfg_error(cfg, "%s is set twice", opt->name);
                        return -1;
                }
                return 0;
        }
        lines = reallocarray(file->lines, file->n_lines + 1, sizeof(*lines));
        if (!lines) {
                cfg_error(cfg, "out of memory");
                return -1;
        }
        file->lines = lines;
        lines[file->n_lines++] =
                (struct key_line){ .opt = opt, .line = (unsigned)cfg->line, .calls = 1 };
        return 0;
}

static void fill_section(cfg_opt_t *opts, const char *section, const cfg_opt_t *sub, size_t n_sub)
{
        size_t n_keys, n = 0;
        const struct config_key *keys = config_keys(&n_keys);

        for (size_t i = 0; i < n_keys; i++) {
                if (strcmp(keys[i].section, section) != 0)
                        continue;
                assert(n + n_sub + 1 < SECTION_KEYS_MAX);
                if (keys[i].is_list)
                        opts[n] = (cfg_opt_t)CFG_STR_LIST(keys[i].name, 0, CFGF_NODEFAULT);
                else
                        opts[n] = (cfg_opt_t)CFG_STR(keys[i].name, 0, CFGF_NODEFAULT);
                opts[n++].validcb = on_set;
        }
        for (size_t i = 0; i < n_sub; i++)
                opts[n++] = sub[i];
        opts[n] = (cfg_opt_t)CFG_END();
}

static void fill_opts(struct config_opts *opts)
{
        const cfg_flag_t named = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
        const cfg_opt_t extent = CFG_SEC("extent", opts->extent, named);
        const cfg_opt_t shares[] = {
                CFG_SEC("quota", opts->quota, named),
                CFG_SEC("claim", opts->claim, named),
        };
        const cfg_opt_t bus_window = CFG_SEC("bus_window", opts->bus_window, CFGF_MULTI);
        cfg_opt_t sections[] = {
                CFG_SEC("pool", opts->pool, named),
                CFG_SEC("device", opts->device, named),
                CFG_SEC("sim", opts->sim, CFGF_NODEFAULT),
                CFG_SEC("pci", opts->pci, named),
        };

        /* Only sim can be there once; its repetition is recognised like that of a key. */
        sections[2].validcb = on_set;
        fill_section(opts->extent, "extent", NULL, 0);
        fill_section(opts->sim, "sim", &extent, 1);
        fill_section(opts->bus_window, "bus_window", NULL, 0);
        fill_section(opts->device, "device", &bus_window, 1);
        fill_section(opts->pci, "pci", NULL, 0);
        fill_section(opts->quota, "quota", NULL, 0);
        fill_section(opts->claim, "claim", NULL, 0);
        fill_section(opts->pool, "pool", shares, ARRAY_SIZE(shares));
        fill_section(opts->top, "", sections, ARRAY_SIZE(sections));
}

static int parse_prepared(struct config_file *file, const char *text)
{
        int r;

        file->opts = calloc(1, sizeof(*file->opts));
        if (!file->opts)
                return -ENOMEM;
        fill_opts(file->opts);
        file->root = cfg_init(file->opts->top, CFGF_NONE);
        if (!file->root)
                return -ENOMEM;
        cfg_set_error_function(file->root, on_parse_error);

        current = file;
        errno = 0;
        r = cfg_parse_buf(file->root, text);
        current = NULL;
        if (r == CFG_SUCCESS)
                return 0;
        if (!file->failed && errno == ENOMEM)
                return -ENOMEM;
        /* The one thing that the parser refuses without a word; it has the line of the section. */
        if (!file->failed)
                fail_plain(file, (unsigned)file->root->line,
                           "a key without a name, here or in the section that starts here");
        return -EINVAL;
}

int config_file_parse(struct config_file *file, const char *text)
{
        const char *error;
        char *prepared;
        int r;

        r = config_text_prepare(text, &prepared, &file->last_line, &error);
        if (r == -EINVAL)
                return config_fail(file, NULL, NULL, "%s", error);
        if (r)
                return r;
        r = parse_prepared(file, prepared);
        free(prepared);
        return r;
}

void config_file_deinit(struct config_file *file)
{
        if (file->root)
                cfg_free(file->root);
        free(file->opts);
        free(file->lines);
        *file = (struct config_file){ 0 };
}

unsigned config_line(const struct config_file *file, cfg_t *section, const char *key)
{
        const struct key_line *line = find_line(file, cfg_getopt(section, key));

        if (line)
                return line->line;
        return section == file->root ? file->last_line : (unsigned)section->line;
}

const char *config_string(cfg_t *section, const char *key)
{
        return cfg_size(section, key) ? cfg_getstr(section, key) : NULL;
}
