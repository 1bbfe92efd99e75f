/* SPDX-License-Identifier: MIT */
/*
 * Addresses of PCI functions: the forms that people and the kernel write, and what is none.
 */
#include "macros.h"
#include "pci_function.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
        const char *name, *text, *again; /* again: NULL: it is none */
} cases[] = {
        { "as sysfs has it", "0000:03:00.0", "0000:03:00.0" },
        { "the highest of a domain", "ffff:ff:1f.7", "ffff:ff:1f.7" },
        { "a domain of more digits", "10000:e1:00.0", "10000:e1:00.0" },
        { "without a domain", "03:00.0", "03:00.0" },
        { "capitals", "0000:3A:1F.7", "0000:3a:1f.7" },
        { "few digits", "0:3:0.0", "0000:03:00.0" },
        { "with 0x, as Linux 5.14 writes it", "0x00:0x03.0", "00:03.0" },
        { "nothing", "", NULL },
        { "device 32", "00:20.0", NULL },
        { "function 8", "00:00.8", NULL },
        { "no function", "0000:03:00", NULL },
        { "no device", "0000:03", NULL },
        { "a bus of three digits", "100:00.0", NULL },
        { "a domain of seven digits", "1000000:00:00.0", NULL },
        { "a name", "capture0", NULL },
        { "a blank behind it", "00:03.0 ", NULL },
        { "a blank before it", " 00:03.0", NULL },
        { "two digits of a function", "00:03.00", NULL },
        { "only 0x", "0x:0x.0x", NULL },
};

static void test_pci_function_reads_and_writes(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct pci_function function = { .domain = 0 };
                char text[PCI_FUNCTION_BYTES];

                print_message("%s\n", cases[i].name);
                assert_int_equal(pci_function_parse(cases[i].text, &function, NULL),
                                 cases[i].again != NULL);
                if (cases[i].again)
                        assert_string_equal(pci_function_text(&function, text), cases[i].again);
        }
}

static void test_pci_function_matches(void **state)
{
        static const struct {
                const char *a, *b;
                bool same;
        } pairs[] = {
                { "0000:03:00.0", "0000:03:00.0", true },
                { "0000:03:00.0", "03:00.0", true },
                { "03:00.0", "0001:03:00.0", true },
                { "0000:03:00.0", "0001:03:00.0", false },
                { "0000:03:00.0", "0000:03:00.1", false },
                { "03:00.0", "04:00.0", false },
                { "03:00.0", "03:01.0", false },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                struct pci_function a = { .domain = 0 }, b = a;

                assert_true(pci_function_parse(pairs[i].a, &a, NULL));
                assert_true(pci_function_parse(pairs[i].b, &b, NULL));
                assert_int_equal(pci_function_matches(&a, &b), pairs[i].same);
                assert_int_equal(pci_function_matches(&b, &a), pairs[i].same);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pci_function_reads_and_writes),
                cmocka_unit_test(test_pci_function_matches),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
