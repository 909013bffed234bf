// The proof that both ends of a TCP link give each other: HMAC-SHA-256, by OpenSSL, of the shared
// secret over all that makes this handshake different from any other. The nonce of who verifies
// keeps a proof from being used again; the direction and the nodes keep it from being sent back to
// the one who made it.
#include "remote/secret.h"

#include <endian.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <troupe/error.h>

// The same on every machine: numbers are big-endian, and nothing is padded.
typedef struct spelled {
    char what[15];
    char role;
    uint64_t version, prover, verifier;
    uint8_t prover_nonce[TR__NONCE_BYTES], verifier_nonce[TR__NONCE_BYTES];
} spelled;

_Static_assert(sizeof(spelled) == 104, "as docs/protocol.md says");

int tr__secret_prove(const void *secret, size_t size, const tr__claim *claim,
                     uint8_t ret_proof[TR__PROOF_BYTES])
{
    spelled s = {.what = "troupe link v1",
                 .role = claim->dialled ? 'D' : 'L',
                 .version = htobe64(claim->version),
                 .prover = htobe64(claim->prover),
                 .verifier = htobe64(claim->verifier)};
    unsigned made = 0;
    memcpy(s.prover_nonce, claim->prover_nonce, TR__NONCE_BYTES);
    memcpy(s.verifier_nonce, claim->verifier_nonce, TR__NONCE_BYTES);
    const void *mac = HMAC(EVP_sha256(), secret, (int)size, (const unsigned char *)&s, sizeof s,
                           ret_proof, &made);
    return mac != NULL && made == TR__PROOF_BYTES ? 0 : TR_ENOMEM;
}

void tr__secret_wipe(void *secret, size_t size)
{
    OPENSSL_cleanse(secret, size);
}

bool tr__proof_same(const uint8_t a[TR__PROOF_BYTES], const uint8_t b[TR__PROOF_BYTES])
{
    return CRYPTO_memcmp(a, b, TR__PROOF_BYTES) == 0;
}
