#pragma once

/* The small things that several parts of an OciSpec are made of. Plain data, no JSON. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number that a config may leave out. */
typedef struct OciSigned {
        bool is_given;
        int64_t value;
} OciSigned;

typedef struct OciUnsigned {
        bool is_given;
        uint64_t value;
} OciUnsigned;

typedef struct OciBool {
        bool is_given;
        bool value;
} OciBool;

/* A member of an object whose keys the config chooses: annotations, sysctls, `unified`. */
typedef struct OciPair {
        char *key;
        char *value;
} OciPair;

typedef struct OciPairs {
        OciPair *items; /* in the config's order */
        size_t n;
} OciPairs;

const char *oci_pairs_find(const OciPairs *pairs, const char *key); /* NULL: there is none */
void oci_pairs_clear(OciPairs *pairs);

typedef struct OciIdMap {
        uint32_t inside;  /* containerID */
        uint32_t outside; /* hostID */
        uint32_t size;
} OciIdMap;

typedef struct OciIdMaps {
        OciIdMap *items;
        size_t n;
} OciIdMaps;
