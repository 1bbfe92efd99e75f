/* SPDX-License-Identifier: MIT */
/* Owns the file's text while it is rewritten. The new file takes the place of the old one at once.
 */
#include "experiment_doc.h"

#include "experiment_text.h"
#include "macros.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_MARK "<!-- experiment: begin -->\n"
#define END_MARK   "<!-- experiment: end -->\n"

#define DOC_SIZE "16G" /* the machines that the tables show */
#define DOC_LOAD 90

DEFINE_CLEANUP(char, free)

static int read_all(const char *path, char **ret)
{
        _cleanup_(freep) char *text = NULL;
        size_t text_bytes = 0;
        FILE *file;
        ssize_t n;
        int r = 0;

        file = fopen(path, "re");
        if (!file)
                return -errno;
        errno = 0;
        n = getdelim(&text, &text_bytes, '\0', file);
        if (n < 0)
                r = errno ? -errno : -EINVAL;
        fclose(file);
        if (!r)
                *ret = STEAL(text);
        return r;
}

static int write_new(const char *path, const char *text, const char *begin, const char *end,
                     const struct study *study)
{
        FILE *file = fopen(path, "we");
        int r = 0;

        if (!file)
                return -errno;
        fwrite(text, 1, (size_t)(begin - text), file);
        fputs("\n", file);
        experiment_text_markdown(study, DOC_SIZE, DOC_LOAD, file);
        fputs(end, file);
        if (ferror(file))
                r = -EIO;
        if (fclose(file) && !r)
                r = -errno;
        return r;
}

int experiment_doc_renew(const char *path, const struct study *study)
{
        _cleanup_(freep) char *text = NULL, *new_path = NULL;
        char *begin, *end;
        int r;

        r = read_all(path, &text);
        if (r)
                return r;
        begin = strstr(text, BEGIN_MARK);
        end = begin ? strstr(begin, END_MARK) : NULL;
        if (!end)
                return -EINVAL;
        begin += strlen(BEGIN_MARK);
        if (asprintf(&new_path, "%s.new", path) < 0) {
                new_path = NULL;
                return -ENOMEM;
        }
        r = write_new(new_path, text, begin, end, study);
        if (!r && rename(new_path, path))
                r = -errno;
        if (r)
                remove(new_path);
        return r;
}
