// Links by a transport: which one it is, and the certificates that this node has for it, which
// are looked at when they are given: OpenSSL says whether they are some, and fit.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/memory.h"
#include "remote/remote.h"

#define PAPER_MAX 0x100000

// ---- Urls ----

// The transport that carries it, by its number; -1: none does.
static int transport_of(const tr__outside *outside, const char *url, tr__proof *ret_proof)
{
    for (int i = 0; i < TR__TRANSPORTS && outside->transports[i] != NULL; i++)
        if (outside->transports[i]->carries(url, ret_proof))
            return i;
    return -1;
}

int tr__carried(const tr__remote *remote, const char *url)
{
    const tr__outside *outside = remote->outside;
    tr__proof proof;
    if (transport_of(outside, url, &proof) < 0)
        return 0;
    bool lacks = (proof == TR__PROOF_NONE && outside->secret == NULL) ||
                 (proof == TR__PROOF_PAPERS && outside->papers.cert == NULL);
    return lacks ? TR_EINVAL : 1;
}

static int carriage_get(tr__remote *remote, const char *url, const tr__transport **ret_transport,
                        tr__carriage **ret_carriage)
{
    tr__proof proof;
    int i = transport_of(remote->outside, url, &proof);
    tr__carriage **carriage = &remote->carriages[i];
    *ret_transport = remote->outside->transports[i];
    int rc = *carriage != NULL ? 0 : (*ret_transport)->open(remote->loop->world, carriage);
    *ret_carriage = *carriage;
    return rc;
}

static const tr__papers *papers_of(const tr__remote *remote)
{
    const tr__papers *papers = &remote->outside->papers;
    return papers->cert == NULL ? NULL : papers;
}

int tr__carry_sites(const tr__remote *remote, const char *url, tr_site ret_sites[TR__SITES_KNOWN])
{
    tr__proof proof;
    const tr__outside *outside = remote->outside;
    const tr__transport *transport = outside->transports[transport_of(outside, url, &proof)];
    return transport->sites == NULL ? 1 : transport->sites(url, ret_sites);
}

int tr__carry_connect(tr__remote *remote, const char *url, const tr_site *site,
                      tr_endpoint **ret_endpoint)
{
    const tr__transport *transport;
    tr__carriage *carriage;
    int rc = carriage_get(remote, url, &transport, &carriage);
    return rc < 0 ? rc : transport->connect(carriage, url, site, papers_of(remote), ret_endpoint);
}

int tr__carry_listen(tr__remote *remote, const char *url, const tr_listener_up *up, void *owner,
                     tr_listener **ret_listener)
{
    const tr__transport *transport;
    tr__carriage *carriage;
    int rc = carriage_get(remote, url, &transport, &carriage);
    return rc < 0 ? rc
                  : transport->listen(carriage, url, papers_of(remote), up, owner, ret_listener);
}

void tr__carry_close(tr__remote *remote)
{
    for (int i = 0; i < TR__TRANSPORTS; i++)
        if (remote->carriages[i] != NULL)
            remote->outside->transports[i]->close(&remote->carriages[i]);
}

size_t tr__carry_queued(const tr__remote *remote)
{
    size_t bytes = 0;
    for (int i = 0; i < TR__TRANSPORTS; i++) {
        const tr__carriage *carriage = remote->carriages[i]; // NULL: there may be no such transport
        if (carriage != NULL && remote->outside->transports[i]->queued != NULL)
            bytes += remote->outside->transports[i]->queued(carriage);
    }
    return bytes;
}

// ---- Certificates ----

// Text that is some, or else the path of a file that has it. errors: as of tr__papers_read
static int paper_read(const char *given, const char **ret_text)
{
    bool text = strncmp(given, "-----BEGIN", 10) == 0;
    errno = 0;
    BIO *bio = text ? BIO_new_mem_buf(given, -1) : BIO_new_file(given, "r");
    if (bio == NULL)
        return errno != 0 ? -errno : TR_ENOMEM;
    char *paper = tr__alloc(PAPER_MAX + 1);
    int n, size = 0;
    while (paper != NULL && size < PAPER_MAX &&
           (n = BIO_read(bio, paper + size, PAPER_MAX - size)) > 0)
        size += n;
    BIO_free(bio);
    if (paper == NULL)
        return TR_ENOMEM;
    paper[size] = '\0';
    char *fitted = tr__resize(paper, (size_t)size + 1);
    *ret_text = fitted == NULL ? paper : fitted;
    return 0;
}

// A key that is locked by a password is none: there is nobody to ask.
static int no_password(char *password, int size, int writes, void *arg)
{
    (void)password, (void)size, (void)writes, (void)arg;
    return -1;
}

// The first of them. NULL: there is none, or one of them is not good
static X509 *paper_certificate(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *first = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_password, NULL);
    for (bool more = first != NULL; more;) {
        X509 *next = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        more = next != NULL;
        X509_free(next);
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        X509_free(first);
        first = NULL;
    }
    BIO_free(bio);
    return first;
}

static EVP_PKEY *paper_key(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return key;
}

static int papers_check(const tr__papers *papers)
{
    X509 *ca = paper_certificate(papers->ca), *cert = paper_certificate(papers->cert);
    EVP_PKEY *key = paper_key(papers->key);
    bool good = ca != NULL && cert != NULL && key != NULL && X509_check_private_key(cert, key) == 1;
    EVP_PKEY_free(key);
    X509_free(cert);
    X509_free(ca);
    ERR_clear_error();
    return good ? 0 : TR_ETLS;
}

int tr__papers_read(const tr_link_opts *opts, tr__papers *ret_papers)
{
    *ret_papers = (tr__papers){0};
    if (opts->tls_ca == NULL && opts->tls_cert == NULL && opts->tls_key == NULL)
        return 0;
    if (opts->tls_ca == NULL || opts->tls_cert == NULL || opts->tls_key == NULL ||
        (opts->tls_name != NULL && opts->tls_name[0] == '\0'))
        return TR_EINVAL;
    int rc = paper_read(opts->tls_ca, &ret_papers->ca);
    if (rc == 0)
        rc = paper_read(opts->tls_cert, &ret_papers->cert);
    if (rc == 0)
        rc = paper_read(opts->tls_key, &ret_papers->key);
    if (rc == 0)
        rc = papers_check(ret_papers);
    if (rc == 0 && opts->tls_name != NULL &&
        (ret_papers->name = tr__strdup(opts->tls_name)) == NULL)
        rc = TR_ENOMEM;
    return rc;
}

static void paper_free(const char **paper)
{
    tr__free((char *)(uintptr_t)*paper);
    *paper = NULL;
}

void tr__papers_clear(tr__papers *papers)
{
    if (papers->key != NULL)
        tr__secret_wipe((char *)(uintptr_t)papers->key, strlen(papers->key));
    paper_free(&papers->ca);
    paper_free(&papers->cert);
    paper_free(&papers->key);
    paper_free(&papers->name);
}
