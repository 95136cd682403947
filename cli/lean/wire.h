#pragma once

/* A connection to a message bus, as little of it as one call of Spawn needs: what the D-Bus
 * specification says of SASL EXTERNAL, of a message's header, and of the types of our own calls.
 * Whatever else comes is passed over, and what breaks the rules breaks the connection. libc alone:
 * a library costs `naivec run` more than the call does. Knows no command line. Called by run.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_FDS_MAX = 16 };

/* The bytes of a message's body. What finds no room is not there, and `is_full` then. */
typedef struct WireBody {
        size_t n;
        bool is_full;
        unsigned n_fds;
        int fds[WIRE_FDS_MAX]; /* borrowed */
        uint8_t bytes[128 * 1024];
} WireBody;

void wire_add_u32(WireBody *body, uint32_t value);
void wire_add_u64(WireBody *body, uint64_t value);
void wire_add_string(WireBody *body, const char *text);    /* "s", "o" */
void wire_add_signature(WireBody *body, const char *text); /* "g"; before the value of a variant */
void wire_add_byte_string(WireBody *body, const char *text); /* "ay" */
void wire_add_bytes(WireBody *body, const char *text);       /* elements of an open "ay" */
void wire_add_fd(WireBody *body, int fd);                    /* "h" */
/* Before each element that is a struct or a dict entry. */
void wire_align(WireBody *body, size_t alignment);
/* An array, whose elements are aligned so. */
size_t wire_open_array(WireBody *body, size_t alignment);
void wire_close_array(WireBody *body, size_t array, size_t alignment);

typedef enum { WIRE_CALL = 1, WIRE_RETURN = 2, WIRE_ERROR = 3 } WireType;

enum { /* fields of a header */
       WIRE_PATH = 1,
       WIRE_INTERFACE,
       WIRE_MEMBER,
       WIRE_ERROR_NAME,
       WIRE_REPLY_SERIAL,
       WIRE_DESTINATION,
       WIRE_SENDER,
       WIRE_SIGNATURE,
       WIRE_UNIX_FDS,
};

/* Messages are in our own order of bytes, and so are those of everybody on this machine. */
#define WIRE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B')

/* An answer; the texts are within the connection, until the next one is taken. */
typedef struct WireReply {
        WireType type;
        uint32_t serial;   /* of the call */
        const char *error; /* its name, or "" */
        const char *text;  /* the first argument, if that is a string or a path, or "" */
        int32_t number;    /* the second, if that is an "i" behind such a text, or 0 */
} WireReply;

typedef struct Wire {
        int fd; /* -1: broken */
        uint32_t last_serial;
        size_t n;      /* of `bytes`, that are not taken yet */
        size_t taken;  /* of them, by the last reply */
        uint64_t skip; /* to come of a message that is too long for us */
        _Alignas(8) uint8_t bytes[32 * 1024 + 1];
} Wire;

/* Connects to the socket at `path`, and says who we are. False: nothing was asked of anybody. */
bool wire_open(Wire *wire, const char *path);
/* The same on a connected socket, which is consumed. */
bool wire_begin(Wire *wire, int fd);
void wire_close(Wire *wire);

typedef struct WireCall {
        const char *path, *interface, *member;
        const char *signature; /* "": no body */
} WireCall;

/* Sends a call. Its serial, or 0 if the connection is broken. */
uint32_t wire_call(Wire *wire, const WireCall *call, const WireBody *body);

/* Takes what has come from the socket, waiting if there is nothing. */
void wire_receive(Wire *wire);
/* The next answer in what was taken; false: there is none so far. */
bool wire_next(Wire *wire, WireReply *ret);
/* Forgets the first `n` bytes that came. */
void wire_drop(Wire *wire, size_t n);
