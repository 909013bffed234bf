// TLS 1.2 and 1.3, by OpenSSL over the coder's two wires.
//
// Both sides show certificates, always. There are no tickets for later sessions: a peer that has not
// read one when it closes would break off with it. Nor is there renegotiation; a change of keys
// (TLS 1.3) is answered when something is read.
//
// A record is made only where it has room as a whole, so OpenSSL never keeps one back: what is
// written next need not be what was written before.
//
// A wire that ends without a word of TLS is the end, as one with it: see filter.c.
#include "filter/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <troupe/error.h>

#include "base/memory.h"
#include "filter/tls_library.h"

#define TEXT_MAX   0x4000u             // bytes of the user's in a record,
#define RECORD_MAX (TEXT_MAX + 0x200u) // and of the record

struct tr__tls {
    SSL_CTX *context;
};

struct coder {
    tr__coder base;
    SSL *ssl;
};

static struct coder *coder_of(tr__coder *base)
{
    return (struct coder *)base;
}

// ---- The wires, as OpenSSL sees them ----

static int wire_write(BIO *bio, const char *bytes, int size)
{
    tr__coder *coder = BIO_get_data(bio);
    size_t n = size > 0 ? tr__wire_add(&coder->out, bytes, (size_t)size) : 0;
    BIO_clear_retry_flags(bio);
    if (n > 0)
        return (int)n;
    BIO_set_retry_write(bio);
    return -1;
}

static int wire_read(BIO *bio, char *room, int size)
{
    tr__coder *coder = BIO_get_data(bio);
    size_t n = size > 0 ? tr__wire_take(&coder->in, room, (size_t)size) : 0;
    BIO_clear_retry_flags(bio);
    if (n > 0 || coder->in.ended)
        return (int)n;
    BIO_set_retry_read(bio);
    return -1;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    const tr__coder *coder = BIO_get_data(bio);
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF)
        return coder->in.ended && tr__wire_used(&coder->in) == 0;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *wire_method;

static void wire_method_make(void)
{
    wire_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "troupe");
    if (wire_method == NULL)
        return;
    BIO_meth_set_write(wire_method, wire_write);
    BIO_meth_set_read(wire_method, wire_read);
    BIO_meth_set_ctrl(wire_method, wire_control);
}

static BIO *wire_open(tr__coder *coder)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, wire_method_make);
    BIO *bio = wire_method == NULL ? NULL : BIO_new(wire_method);
    if (bio != NULL) {
        BIO_set_data(bio, coder);
        BIO_set_init(bio, 1);
    }
    return bio;
}

// ---- As a coder ----

// What OpenSSL complains of: of the first of its errors, which the others follow from.
static int coder_failed(struct coder *c)
{
    unsigned long first = ERR_peek_error();
    const char *text = ERR_reason_error_string(first);
    long verified = tr__ssl.SSL_get_verify_result(c->ssl);
    if (ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK)
        text = X509_verify_cert_error_string(verified);
    snprintf(c->base.why, sizeof c->base.why, "%s", text == NULL ? "broken off" : text);
    ERR_clear_error();
    return ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE ? TR_ENOMEM : TR_ETLS;
}

// What an operation of OpenSSL's has returned, which was not what was hoped for.
static int coder_error(struct coder *c, int rv)
{
    switch (tr__ssl.SSL_get_error(c->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TR_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return TR_EDOWN;
    default:
        if (!c->base.in.ended || tr__wire_used(&c->base.in) > 0)
            return coder_failed(c);
        ERR_clear_error();
        return TR_EDOWN;
    }
}

static int tls_shake(tr__coder *base)
{
    struct coder *c = coder_of(base);
    ERR_clear_error();
    int rv = tr__ssl.SSL_do_handshake(c->ssl);
    return rv == 1 ? 0 : coder_error(c, rv);
}

static int int_size(size_t size)
{
    return size < INT_MAX ? (int)size : INT_MAX;
}

static ssize_t tls_decode(tr__coder *base, void *room, size_t size)
{
    struct coder *c = coder_of(base);
    ERR_clear_error();
    int rv = tr__ssl.SSL_read(c->ssl, room, int_size(size));
    int rc = rv > 0 ? rv : coder_error(c, rv);
    return rc == TR_EDOWN ? 0 : rc;
}

static ssize_t tls_encode(tr__coder *base, const void *bytes, size_t size)
{
    struct coder *c = coder_of(base);
    if (tr__wire_room(&base->out) < RECORD_MAX)
        return TR_EAGAIN;
    ERR_clear_error();
    int rv = tr__ssl.SSL_write(c->ssl, bytes, int_size(size < TEXT_MAX ? size : TEXT_MAX));
    return rv > 0 ? rv : coder_error(c, rv);
}

static int tls_finish(tr__coder *base)
{
    struct coder *c = coder_of(base);
    ERR_clear_error();
    int rv = tr__ssl.SSL_shutdown(c->ssl);
    return rv >= 0 ? 0 : coder_error(c, rv);
}

static void coder_free(tr__coder *base)
{
    struct coder *c = coder_of(base);
    tr__ssl.SSL_free(c->ssl);
    tr__free(c);
}

static const tr__coder_ops TLS_OPS = {
    .name = "tls",
    .papers = true,
    .shake = tls_shake,
    .decode = tls_decode,
    .encode = tls_encode,
    .finish = tls_finish,
    .free = coder_free,
};

static int coder_new(tr__tls *tls, struct coder **ret_coder)
{
    struct coder *c = tr__zalloc(sizeof *c);
    if (c == NULL)
        return TR_ENOMEM;
    c->base.ops = &TLS_OPS;
    BIO *bio = wire_open(&c->base);
    c->ssl = bio == NULL ? NULL : tr__ssl.SSL_new(tls->context);
    if (c->ssl == NULL) {
        BIO_free(bio);
        tr__free(c);
        return TR_ENOMEM;
    }
    tr__ssl.SSL_set_bio(c->ssl, bio, bio);
    *ret_coder = c;
    return 0;
}

int tr__tls_server(tr__tls *tls, tr__coder **ret_coder)
{
    struct coder *c;
    int rc = coder_new(tls, &c);
    if (rc < 0)
        return rc;
    tr__ssl.SSL_set_accept_state(c->ssl);
    *ret_coder = &c->base;
    return 0;
}

static bool coder_expects(struct coder *c, const char *name)
{
    X509_VERIFY_PARAM *param = tr__ssl.SSL_get0_param(c->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return true;
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           tr__ssl.SSL_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                            (char *)(uintptr_t)name) == 1;
}

int tr__tls_client(tr__tls *tls, const char *name, tr__coder **ret_coder)
{
    struct coder *c;
    int rc = coder_new(tls, &c);
    if (rc < 0)
        return rc;
    tr__ssl.SSL_set_connect_state(c->ssl);
    if (!coder_expects(c, name)) {
        ERR_clear_error();
        coder_free(&c->base);
        return TR_EINVAL;
    }
    *ret_coder = &c->base;
    return 0;
}

// ---- Certificates ----

// A key that is locked by a password is none: there is nobody to ask.
static int no_password(char *password, int size, int writes, void *arg)
{
    (void)password, (void)size, (void)writes, (void)arg;
    return -1;
}

// Those that follow each other in the text. returns: whether there was one, and all were taken
static bool each_certificate(const char *text, bool (*take)(SSL_CTX *context, X509 *cert, int nth),
                             SSL_CTX *context)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    bool good = bio != NULL;
    int nth = 0;
    for (X509 *cert; good && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL;) {
        good = take(context, cert, nth++);
        X509_free(cert);
    }
    BIO_free(bio);
    return good && nth > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static bool take_authority(SSL_CTX *context, X509 *cert, int nth)
{
    (void)nth;
    return X509_STORE_add_cert(tr__ssl.SSL_CTX_get_cert_store(context), cert) == 1;
}

// One's own, and those between it and the authority.
static bool take_own(SSL_CTX *context, X509 *cert, int nth)
{
    if (nth == 0)
        return tr__ssl.SSL_CTX_use_certificate(context, cert) == 1;
    return tr__ssl.SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, cert) == 1;
}

static bool take_key(SSL_CTX *context, const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    bool good = key != NULL && tr__ssl.SSL_CTX_use_PrivateKey(context, key) == 1 &&
                tr__ssl.SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}

static void context_configure(SSL_CTX *context)
{
    tr__ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    tr__ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    tr__ssl.SSL_CTX_ctrl(context, SSL_CTRL_MODE,
                         SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, NULL);
    tr__ssl.SSL_CTX_set_options(context,
                                SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    tr__ssl.SSL_CTX_set_num_tickets(context, 0);
    tr__ssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

int tr__tls_open(const tr__papers *papers, tr__tls **ret_tls)
{
    int rc = tr__ssl_load();
    if (rc < 0)
        return rc;
    tr__tls *tls = tr__zalloc(sizeof *tls);
    if (tls == NULL)
        return TR_ENOMEM;
    tls->context = tr__ssl.SSL_CTX_new(tr__ssl.TLS_method());
    if (tls->context == NULL) {
        tr__free(tls);
        return TR_ENOMEM;
    }
    context_configure(tls->context);
    bool good = each_certificate(papers->ca, take_authority, tls->context) &&
                each_certificate(papers->cert, take_own, tls->context) &&
                take_key(tls->context, papers->key);
    ERR_clear_error();
    if (!good)
        tr__tls_free(&tls);
    else
        *ret_tls = tls;
    return good ? 0 : TR_ETLS;
}

void tr__tls_free(tr__tls **tls)
{
    if (*tls == NULL)
        return;
    tr__ssl.SSL_CTX_free((*tls)->context);
    tr__free(*tls);
    *tls = NULL;
}
