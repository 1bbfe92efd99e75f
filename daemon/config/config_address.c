/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Refuses every address but the two of the loopback interface: names could mean
 * something else tomorrow, and nobody beyond this machine is to hear how its memory is used.
 */
#include "config_address.h"

#include "units.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define LOOPBACK_4 "127.0.0.1:"
#define LOOPBACK_6 "[::1]:"

bool address_is_path(const char *text)
{
        return text[0] == '/' && strlen(text) <= ADDRESS_PATH_MAX;
}

/* Return: what follows the address; NULL where it is none of the two. */
static const char *after_loopback(const char *text, int *ret_family)
{
        if (strncmp(text, LOOPBACK_4, strlen(LOOPBACK_4)) == 0) {
                *ret_family = AF_INET;
                return text + strlen(LOOPBACK_4);
        }
        if (strncmp(text, LOOPBACK_6, strlen(LOOPBACK_6)) == 0) {
                *ret_family = AF_INET6;
                return text + strlen(LOOPBACK_6);
        }
        return NULL;
}

static bool parse(const char *text, int *ret_family, uint16_t *ret_port)
{
        const char *port = after_loopback(text, ret_family), *rest;
        uint64_t number;

        if (!port || units_number(port, &number, &rest) || *rest || number < 1 ||
            number > UINT16_MAX)
                return false;
        *ret_port = (uint16_t)number;
        return true;
}

bool address_is_loopback(const char *text)
{
        uint16_t port;
        int family;

        return parse(text, &family, &port);
}

void address_loopback(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size)
{
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
        struct sockaddr_in *four = (struct sockaddr_in *)ret;
        uint16_t port = 0;
        int family = AF_INET;

        (void)parse(text, &family, &port);
        memset(ret, 0, sizeof(*ret));
        if (family == AF_INET6) {
                six->sin6_family = AF_INET6;
                six->sin6_port = htons(port);
                six->sin6_addr = in6addr_loopback;
                *ret_size = sizeof(*six);
        } else {
                four->sin_family = AF_INET;
                four->sin_port = htons(port);
                four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                *ret_size = sizeof(*four);
        }
}
