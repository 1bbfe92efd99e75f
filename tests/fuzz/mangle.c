/* SPDX-License-Identifier: MIT */
/* Owns the strange strings. */
#include "mangle.h"

#include "macros.h"

#include <string.h>

uint64_t mangle_number(uint64_t was, struct choices *choices)
{
        switch (choose(choices, 12)) {
        case 0: return 0;
        case 1: return UINT64_MAX;
        case 2: return was + 1;
        case 3: return was - 1;
        case 4: return was ^ UINT64_C(1) << choose(choices, 64);
        case 5: return was * 2;
        case 6: return was / 2;
        case 7: return UINT64_C(1) << choose(choices, 64);
        case 8: return (UINT64_C(1) << choose(choices, 64)) - 1;
        case 9: return choose(choices, 256);
        case 10: return was + 4096 * (choose(choices, 5) - 2);
        default: return choose_any(choices);
        }
}

static char *strange_string(struct choices *choices)
{
        static char longest[6000], edge[65], beyond[66];
        static char *const strings[] = {
                (char *)(uintptr_t) "",
                (char *)(uintptr_t) "any",
                (char *)(uintptr_t) "a/b/c",
                (char *)(uintptr_t) "%s%n%s",
                (char *)(uintptr_t) "\x1b[2J\n",
                (char *)(uintptr_t) "\xff\xc0\x80",
                (char *)(uintptr_t) "0000:01:00.0,capture0,,capture0",
                (char *)(uintptr_t) "4294967296/ring",
                edge,
                beyond,
                longest,
        };

        memset(edge, 'e', sizeof(edge) - 2); /* 63 of them, which is what names may have */
        memset(beyond, 'b', sizeof(beyond) - 2);
        memset(longest, 'l', sizeof(longest) - 1);
        return strings[choose(choices, ARRAY_SIZE(strings))];
}

static void mangle_scalar(const ProtobufCFieldDescriptor *field, void *at, struct choices *choices)
{
        static uint8_t token[32];
        ProtobufCBinaryData *data = at;
        uint32_t word;
        uint64_t wide;

        switch (field->type) {
        case PROTOBUF_C_TYPE_STRING: *(char **)at = strange_string(choices); return;
        case PROTOBUF_C_TYPE_BYTES:
                data->data = token;
                data->len = choose(choices, sizeof(token));
                return;
        case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at; return;
        case PROTOBUF_C_TYPE_UINT64:
        case PROTOBUF_C_TYPE_FIXED64:
        case PROTOBUF_C_TYPE_SINT64:
                memcpy(&wide, at, sizeof(wide));
                wide = mangle_number(wide, choices);
                memcpy(at, &wide, sizeof(wide));
                return;
        default:
                memcpy(&word, at, sizeof(word));
                word = (uint32_t)mangle_number(word, choices);
                memcpy(at, &word, sizeof(word));
        }
}

static size_t element_bytes(const ProtobufCFieldDescriptor *field)
{
        switch (field->type) {
        case PROTOBUF_C_TYPE_UINT64: return sizeof(uint64_t);
        case PROTOBUF_C_TYPE_UINT32: return sizeof(uint32_t);
        default: return sizeof(void *);
        }
}

static void mangle_list(const ProtobufCFieldDescriptor *field, char *message,
                        struct choices *choices)
{
        size_t *n = (size_t *)(void *)(message + field->quantifier_offset), from, to;
        char *array;

        if (!*n)
                return;
        memcpy(&array, message + field->offset, sizeof(array));
        from = choose(choices, *n);
        to = choose(choices, *n);
        switch (choose(choices, 5)) {
        case 0: *n = from; return;
        case 1:
                memmove(array + to * element_bytes(field), array + from * element_bytes(field),
                        element_bytes(field));
                return;
        default: break;
        }
        if (field->type == PROTOBUF_C_TYPE_MESSAGE)
                mangle_message(((ProtobufCMessage **)(void *)array)[from], choices);
        else
                mangle_scalar(field, array + from * element_bytes(field), choices);
}

static bool is_there(const ProtobufCFieldDescriptor *field, const char *message)
{
        uint32_t which;

        if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
                return true;
        memcpy(&which, message + field->quantifier_offset, sizeof(which));
        return which == field->id;
}

void mangle_message(ProtobufCMessage *message, struct choices *choices)
{
        const ProtobufCMessageDescriptor *type = message->descriptor;
        const ProtobufCFieldDescriptor *field;
        ProtobufCMessage **inner;
        size_t at;

        if (!type->n_fields)
                return;
        /* Of alternatives there is one; where another is chosen, that one. */
        at = choose(choices, type->n_fields);
        for (size_t i = 0; i < type->n_fields; i++, at = (at + 1) % type->n_fields)
                if (is_there(&type->fields[at], (const char *)message))
                        break;
        field = &type->fields[at];
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
                mangle_list(field, (char *)message, choices);
                return;
        }
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
                mangle_scalar(field, (char *)message + field->offset, choices);
                return;
        }
        inner = (ProtobufCMessage **)(void *)((char *)message + field->offset);
        if (*inner && choose(choices, 8))
                mangle_message(*inner, choices);
        else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
                *inner = NULL;
}

size_t mangle_bytes(uint8_t *bytes, size_t size, size_t room, struct choices *choices)
{
        for (uint64_t n = choose(choices, 4); size && n--;)
                bytes[choose(choices, size)] = (uint8_t)choose(choices, 256);
        switch (choose(choices, 6)) {
        case 0: size = choose(choices, size + 1); break;
        case 1:
                for (uint64_t n = choose(choices, 16); n-- && size < room; size++)
                        bytes[size] = (uint8_t)choose(choices, 256);
                break;
        default: break;
        }
        return size ? size : 1;
}
