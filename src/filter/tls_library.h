// What tls.c calls of libssl, and nobody else.
#ifndef TROUPE_FILTER_TLS_LIBRARY_H
#define TROUPE_FILTER_TLS_LIBRARY_H

#include <openssl/ssl.h>

#define SSL_CALLS(X)                                                                               \
    X(SSL_CTX_check_private_key)                                                                   \
    X(SSL_CTX_ctrl)                                                                                \
    X(SSL_CTX_free)                                                                                \
    X(SSL_CTX_get_cert_store)                                                                      \
    X(SSL_CTX_new)                                                                                 \
    X(SSL_CTX_set_num_tickets)                                                                     \
    X(SSL_CTX_set_options)                                                                         \
    X(SSL_CTX_set_verify)                                                                          \
    X(SSL_CTX_use_PrivateKey)                                                                      \
    X(SSL_CTX_use_certificate)                                                                     \
    X(SSL_ctrl)                                                                                    \
    X(SSL_do_handshake)                                                                            \
    X(SSL_free)                                                                                    \
    X(SSL_get0_param)                                                                              \
    X(SSL_get_error)                                                                               \
    X(SSL_get_verify_result)                                                                       \
    X(SSL_new)                                                                                     \
    X(SSL_read)                                                                                    \
    X(SSL_set_accept_state)                                                                        \
    X(SSL_set_bio)                                                                                 \
    X(SSL_set_connect_state)                                                                       \
    X(SSL_shutdown)                                                                                \
    X(SSL_write)                                                                                   \
    X(TLS_method)

struct ssl_calls {
#define SSL_MEMBER(name) __typeof__(name) *name;
    SSL_CALLS(SSL_MEMBER)
#undef SSL_MEMBER
};
extern struct ssl_calls tr__ssl; // good once tr__ssl_load has returned 0

int tr__ssl_load(void); // errors: TR_ENOSYS (there is no such library)

#endif
