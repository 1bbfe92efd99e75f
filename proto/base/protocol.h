/* SPDX-License-Identifier: MIT */
/*
 * What both ends of the socket have to agree on before the first byte.
 */
#pragma once

#define PROTOCOL_VERSION 1

/* Where pard listens, and clients look for it, when nobody says otherwise. */
#define SOCKET_DEFAULT "/run/pard/pard.sock"
