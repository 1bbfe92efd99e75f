/* SPDX-License-Identifier: MIT */
/*
 * What stands in the record after a process was killed at any moment, and which files are not
 * believed.
 */
#include "record.h"

#include "backend.h"
#include "descriptors.h"
#include "file_tree.h"
#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE_BYTES 4096

static struct file_tree tree;
static char path[128];
static char note[512];

static void put(const char *name, const char *text)
{
        file_tree_put(&tree, name, text);
}

static int setup(void **state)
{
        (void)state;
        file_tree_init(&tree);
        snprintf(path, sizeof(path), "%s/pard.sock.reserved", tree.root);
        put("/proc/sys/kernel/random/boot_id", "ad2bd9de-4a9a-41b8-9402-23ced5269d83\n");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        file_tree_deinit(&tree);
        return 0;
}

static bool is_there(void)
{
        struct stat st;

        return lstat(path, &st) == 0;
}

static struct record record_at(bool create)
{
        struct record record;

        if (record_open(&record, path, tree.root, create, note, sizeof(note)))
                fail_msg("%s", note);
        return record;
}

/* As a kill does: the descriptor goes, and nothing else happens. */
static void drop(struct record *record)
{
        close(record->fd);
        free(record->path);
        *record = RECORD_NONE;
}

static void add(struct record *record, uint64_t added)
{
        struct record_entry *entry = record_entry(record, 2 * MiB, 1, true);

        assert_non_null(entry);
        entry->added = added;
        entry->before = added + 1;
        entry->change = -(int64_t)added;
        assert_int_equal(record_save(record), 0);
}

/* What the next start reads; 0: nothing. */
static uint64_t added_there(void)
{
        struct record record = record_at(true);
        struct record_entry *entry = record_entry(&record, 2 * MiB, 1, false);
        uint64_t added = 0;

        if (entry) {
                added = entry->added;
                assert_int_equal(entry->before, added + 1);
                assert_int_equal(entry->change, -(int64_t)added);
        }
        drop(&record);
        return added;
}

static void test_record_outlives_its_writer(void **state)
{
        unsigned descriptors = descriptors_open();
        struct record record = record_at(true);
        struct stat st;

        (void)state;
        assert_string_equal(note, "");
        assert_int_equal(record.n, 0);
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        for (uint64_t i = 1; i < 10; i++) {
                add(&record, i);
                if (i % 3)
                        continue;
                drop(&record);
                assert_int_equal(added_there(), i);
                record = record_at(true);
                assert_string_equal(note, "");
        }

        /* It stays as long as there is something to give back, and no longer. */
        record_close(&record);
        assert_true(is_there());
        record = record_at(false);
        record.entries[0].added = 0;
        record.entries[0].change = 0;
        assert_int_equal(record_save(&record), 0);
        record_close(&record);
        assert_false(is_there());
        assert_int_equal(descriptors_open(), descriptors);
}

static void test_record_is_not_made_without_need(void **state)
{
        struct record record = record_at(false);

        (void)state;
        assert_int_equal(record.fd, -1);
        assert_int_equal(record_save(&record), 0);
        record_close(&record);
        assert_false(is_there());
        assert_int_equal(record_open(&record, "/nowhere/x", tree.root, true, note, sizeof(note)),
                         -ENOENT);
        assert_non_null(strstr(note, "cannot be written down in /nowhere/x: No such file"));
        record_close(&record);
}

static void test_record_of_another_boot_counts_no_more(void **state)
{
        struct record record = record_at(true);

        (void)state;
        add(&record, 5);
        drop(&record);
        put("/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000000\n");
        assert_int_equal(added_there(), 0);
        assert_string_equal(note, "");
        record = record_at(true);
        record_close(&record);
        assert_false(is_there());
}

/* Whatever happens to what is being written: what was written before it holds. */
static void test_record_holds_while_it_is_written(void **state)
{
        struct record record = record_at(true);
        unsigned char byte, wrong;
        struct stat st;
        int fd;

        (void)state;
        add(&record, 11); /* second place */
        add(&record, 12); /* first place */
        drop(&record);
        assert_int_equal(added_there(), 12);

        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        for (off_t i = 0; i < st.st_size - PLACE_BYTES; i += i < 100 ? 1 : 37) {
                assert_int_equal(pread(fd, &byte, 1, i), 1);
                wrong = byte ^ 0x10;
                assert_int_equal(pwrite(fd, &wrong, 1, i), 1);
                if (added_there() != 11)
                        fail_msg("byte %jd is wrong, and nobody minds", (intmax_t)i);
                assert_int_equal(pwrite(fd, &byte, 1, i), 1);
        }
        assert_int_equal(added_there(), 12);
        close(fd);
}

static void make_link(void)
{
        put("/precious", "precious");
        unlink(path);
        assert_int_equal(symlink("precious", path), 0);
}

static void make_pipe(void)
{
        unlink(path);
        assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_writable(void)
{
        assert_int_equal(chmod(path, 0620), 0);
}

static void make_second_name(void)
{
        char name[160];

        snprintf(name, sizeof(name), "%s.too", path);
        unlink(name);
        assert_int_equal(link(path, name), 0);
}

static void make_foreign(void)
{
        if (geteuid() == 0)
                assert_int_equal(chown(path, 65534, 65534), 0);
        else
                make_writable();
}

static void make_text(void)
{
        put("/pard.sock.reserved", "nr_hugepages is 10000000\n");
        assert_int_equal(chmod(path, 0600), 0);
}

static const struct {
        const char *name;
        void (*make)(void);
        const char *note;
} distrust_cases[] = {
        { "a link", make_link, "is no file that only pard may write" },
        { "a pipe", make_pipe, "is no file that only pard may write" },
        { "a file that a group may write", make_writable, "is no file that only pard may write" },
        { "a file with a second name", make_second_name, "is no file that only pard may write" },
        { "somebody's file", make_foreign, "is no file that only pard may write" },
        { "another text", make_text, "cannot be understood" },
};

static void check_distrust(size_t i, bool create)
{
        struct record record = record_at(true);
        struct stat st;

        add(&record, 3);
        drop(&record);
        distrust_cases[i].make();

        record = record_at(create);
        if (record.n != 0 || !strstr(note, distrust_cases[i].note))
                fail_msg("%s: %zu entries, \"%s\"", distrust_cases[i].name, record.n, note);
        if (create) {
                assert_int_equal(lstat(path, &st), 0);
                assert_true(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600);
                add(&record, 4);
                drop(&record);
                assert_int_equal(added_there(), 4);
                assert_string_equal(note, "");
        } else if (record.fd < 0 && !is_there()) {
                fail_msg("%s is gone, though nothing was to be written", distrust_cases[i].name);
        }
        record_close(&record);
        unlink(path);
}

static void test_record_does_not_believe_everybody(void **state)
{
        char name[160], precious[16];
        struct record record;
        int fd;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(distrust_cases); i++)
                for (int create = 0; create < 2; create++)
                        check_distrust(i, create);

        make_link();
        record = record_at(true);
        drop(&record);
        snprintf(name, sizeof(name), "%s/precious", tree.root);
        fd = open(name, O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(fd, precious, sizeof(precious)), 8);
        close(fd);

        unlink(path);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_true(record_open(&record, path, tree.root, true, note, sizeof(note)) < 0);
        assert_non_null(strstr(note, "cannot be written down in"));
}

static void test_record_has_one_writer(void **state)
{
        struct record first = record_at(true), second;
        pid_t child;
        int status;

        (void)state;
        assert_int_equal(record_open(&second, path, tree.root, true, note, sizeof(note)), -EBUSY);
        assert_non_null(strstr(note, "another pard does so"));

        /* One that is just ending is waited for. */
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                usleep(300 * 1000);
                _exit(0);
        }
        drop(&first); /* the child has it still */
        second = record_at(true);
        assert_int_equal(waitpid(child, &status, 0), child);
        record_close(&second);
        assert_false(is_there());
}

static void test_record_is_full_at_some_time(void **state)
{
        struct record record = record_at(true);

        (void)state;
        for (int i = 0; i < RECORD_ENTRIES_MAX; i++)
                assert_non_null(record_entry(&record, 2 * MiB, i, true));
        assert_null(record_entry(&record, GiB, 0, true));
        assert_null(record_entry(&record, GiB, 0, false));
        record_entry(&record, 2 * MiB, RECORD_ENTRIES_MAX - 1, true)->added = 5;
        assert_int_equal(record_save(&record), 0);
        drop(&record);
        record = record_at(true);
        assert_int_equal(record.n, RECORD_ENTRIES_MAX);
        assert_int_equal(record.entries[RECORD_ENTRIES_MAX - 1].added, 5);
        drop(&record);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_record_outlives_its_writer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_record_is_not_made_without_need, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_record_of_another_boot_counts_no_more, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_record_holds_while_it_is_written, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_record_does_not_believe_everybody, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_record_has_one_writer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_record_is_full_at_some_time, setup, teardown),
        };

        return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
