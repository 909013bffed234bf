// TLS as a coder, by OpenSSL, which is loaded when it is wanted first (tls_library.c).
#ifndef TROUPE_FILTER_TLS_H
#define TROUPE_FILTER_TLS_H

#include "core/transport.h"
#include "filter/coder.h"

typedef struct tr__tls tr__tls; // certificates, ready to be used by any number of coders

// errors: TR_ETLS (they are not good), TR_ENOSYS (there is no such library), TR_ENOMEM
int tr__tls_open(const tr__papers *papers, tr__tls **ret_tls);
void tr__tls_free(tr__tls **tls); // The coders keep what they need. No-op on NULL

// The side that has accepted.
// errors: TR_ENOMEM
int tr__tls_server(tr__tls *tls, tr__coder **ret_coder);
// The side that has dialled: a name, or an address in figures, has to be in the peer's certificate.
int tr__tls_client(tr__tls *tls, const char *name, tr__coder **ret_coder);

#endif
