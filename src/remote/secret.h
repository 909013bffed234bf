// Proving a shared secret without saying it (secret.c).
#ifndef TROUPE_REMOTE_SECRET_H
#define TROUPE_REMOTE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TR__SECRET_MIN  16u
#define TR__SECRET_MAX  65536u
#define TR__NONCE_BYTES 32
#define TR__PROOF_BYTES 32

// What a proof is for: one side of one handshake, and nothing else.
typedef struct tr__claim {
    bool dialled; // who proves has
    uint64_t version;
    uint64_t prover, verifier; // nodes
    uint8_t prover_nonce[TR__NONCE_BYTES], verifier_nonce[TR__NONCE_BYTES];
} tr__claim;

// errors: TR_ENOMEM
int tr__secret_prove(const void *secret, size_t size, const tr__claim *claim,
                     uint8_t ret_proof[TR__PROOF_BYTES]);

void tr__secret_wipe(void *secret, size_t size);

// Whether they are the same, in a time that does not tell how much of them is.
bool tr__proof_same(const uint8_t a[TR__PROOF_BYTES], const uint8_t b[TR__PROOF_BYTES]);

#endif
