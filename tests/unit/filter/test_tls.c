// TLS as a coder: against itself, and against a peer that is OpenSSL alone, which does what ours
// never does. Wires are memory here, and the test carries.
#include "filter/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <troupe/error.h>

#include "support/cmocka.h"
#include "support/papers.h"

static struct papers_text ours, named, strange; // by two authorities
static tr__tls *tls;

static tr__papers papers_of(const struct papers_text *text)
{
    return (tr__papers){text->ca, text->cert, text->key, NULL};
}

static tr__tls *tls_of(const struct papers_text *text)
{
    tr__tls *made;
    tr__papers papers = papers_of(text);
    assert_int_equal(0, tr__tls_open(&papers, &made));
    return made;
}

// ---- A side that is a coder ----

struct side {
    tr__coder *coder;
    uint8_t in[TR__WIRE_BYTES], out[TR__WIRE_BYTES];
};

static void side_open(struct side *s, tr__coder *coder)
{
    s->coder = coder;
    coder->in.bytes = s->in;
    coder->out.bytes = s->out;
}

static void side_close(struct side *s)
{
    s->coder->ops->free(s->coder);
}

static void to_front(tr__wire *wire)
{
    memmove(wire->bytes, wire->bytes + wire->at, tr__wire_used(wire));
    wire->end -= wire->at;
    wire->at = 0;
}

// All that fits. Returns how much that was.
static size_t carry(tr__wire *from, tr__wire *to)
{
    to_front(from);
    to_front(to);
    size_t n = tr__wire_add(to, from->bytes, tr__wire_used(from));
    from->at += n;
    return n;
}

static void both_open(struct side sides[2], tr__tls *dials, const char *name, tr__tls *accepts)
{
    tr__coder *coder;
    assert_int_equal(0, tr__tls_client(dials, name, &coder));
    side_open(&sides[0], coder);
    assert_int_equal(0, tr__tls_server(accepts, &coder));
    side_open(&sides[1], coder);
}

static void both_close(struct side sides[2])
{
    side_close(&sides[0]);
    side_close(&sides[1]);
}

// As far as that goes. rcs: what they say in the end
static void both_shake(struct side sides[2], int rcs[2])
{
    size_t moved;
    rcs[0] = rcs[1] = TR_EAGAIN;
    do {
        moved = 0;
        for (int i = 0; i < 2; i++) {
            if (rcs[i] == TR_EAGAIN)
                rcs[i] = sides[i].coder->ops->shake(sides[i].coder);
            moved += carry(&sides[i].coder->out, &sides[1 - i].coder->in);
        }
    } while (moved > 0);
}

static ssize_t decode(struct side *s, char room[64])
{
    memset(room, 0, 64);
    return s->coder->ops->decode(s->coder, room, 63);
}

// ---- Coders with each other ----

static void what_one_encodes_the_other_decodes(void **state)
{
    static struct side sides[2];
    char room[64];
    int rcs[2];
    (void)state;
    both_open(sides, tls, PAPERS_NAME, tls);
    both_shake(sides, rcs);
    assert_int_equal(0, rcs[0]);
    assert_int_equal(0, rcs[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(5, sides[i].coder->ops->encode(sides[i].coder, "hello", 5));
        assert_null(memmem(sides[i].out, sides[i].coder->out.end, "hello", 5));
        carry(&sides[i].coder->out, &sides[1 - i].coder->in);
        assert_int_equal(5, decode(&sides[1 - i], room));
        assert_string_equal("hello", room);
        assert_int_equal(TR_EAGAIN, decode(&sides[1 - i], room));
    }
    both_close(sides);
}

// Goal:   who has said all still hears what the other has to say.
static void one_half_may_end_before_the_other(void **state)
{
    static struct side sides[2];
    char room[64];
    int rcs[2];
    (void)state;
    both_open(sides, tls, PAPERS_NAME, tls);
    both_shake(sides, rcs);
    assert_int_equal(0, sides[0].coder->ops->finish(sides[0].coder));
    carry(&sides[0].coder->out, &sides[1].coder->in);
    assert_int_equal(0, decode(&sides[1], room));
    assert_int_equal(3, sides[1].coder->ops->encode(sides[1].coder, "bye", 3));
    assert_int_equal(0, sides[1].coder->ops->finish(sides[1].coder));
    carry(&sides[1].coder->out, &sides[0].coder->in);
    assert_int_equal(3, decode(&sides[0], room));
    assert_int_equal(0, decode(&sides[0], room));
    both_close(sides);
}

// Goal:   a wire that ends without a word is the end, wherever that is; in the handshake, that there
//         will be none.
static void a_wire_that_is_cut_is_an_end(void **state)
{
    static struct side sides[2];
    char room[64];
    int rcs[2];
    (void)state;
    for (int part = 0; part < 3; part++) {
        both_open(sides, tls, PAPERS_NAME, tls);
        both_shake(sides, rcs);
        assert_int_equal(5, sides[0].coder->ops->encode(sides[0].coder, "hello", 5));
        size_t whole = tr__wire_used(&sides[0].coder->out);
        sides[0].coder->out.end -= part == 0 ? whole : (size_t)part;
        carry(&sides[0].coder->out, &sides[1].coder->in);
        assert_int_equal(TR_EAGAIN, decode(&sides[1], room));
        sides[1].coder->in.ended = true;
        assert_int_equal(0, decode(&sides[1], room));
        both_close(sides);
    }
    both_open(sides, tls, PAPERS_NAME, tls);
    assert_int_equal(TR_EAGAIN, sides[0].coder->ops->shake(sides[0].coder));
    sides[0].coder->in.ended = true;
    assert_int_equal(TR_EDOWN, sides[0].coder->ops->shake(sides[0].coder));
    both_close(sides);
}

// Goal:   the name of whom is dialled is looked at, and an address is, where the certificate has it.
static void who_is_dialled_must_be_named_in_the_certificate(void **state)
{
    static const struct {
        const struct papers_text *shown;
        const char *name;
        bool good;
    } cases[] = {
        {&ours, PAPERS_NAME, true},  {&ours, "another.test", false}, {&ours, "127.0.0.1", false},
        {&named, "127.0.0.1", true}, {&named, "127.0.0.2", false},   {&named, "::1", true},
        {&named, "b.test", true},    {&named, "::2", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct side sides[2];
        struct papers_text dialler = *cases[i].shown;
        int rcs[2];
        tr__tls *accepts = tls_of(cases[i].shown), *dials = tls_of(&dialler);
        both_open(sides, dials, cases[i].name, accepts);
        both_shake(sides, rcs);
        assert_int_equal(cases[i].good ? 0 : TR_ETLS, rcs[0]);
        if (!cases[i].good)
            assert_non_null(strstr(sides[0].coder->why, "mismatch"));
        both_close(sides);
        tr__tls_free(&dials);
        tr__tls_free(&accepts);
    }
}

static void certificates_of_another_authority_are_refused_by_both(void **state)
{
    static struct side sides[2];
    struct papers_text mixed = strange; // it trusts ours, and shows another
    char room[64];
    int rcs[2];
    (void)state;
    memcpy(mixed.ca, ours.ca, sizeof mixed.ca);
    tr__tls *stranger = tls_of(&mixed);
    both_open(sides, tls, PAPERS_NAME, stranger);
    both_shake(sides, rcs);
    assert_int_equal(TR_ETLS, rcs[0]);
    assert_string_equal("unable to get local issuer certificate", sides[0].coder->why);
    assert_int_equal(TR_ETLS, rcs[1]); // has been told
    both_close(sides);
    both_open(sides, stranger, PAPERS_NAME, tls);
    both_shake(sides, rcs);
    assert_int_equal(TR_ETLS, rcs[1]);
    assert_string_equal("unable to get local issuer certificate", sides[1].coder->why);
    if (rcs[0] == 0) // TLS 1.3: it was through before that
        assert_int_equal(TR_ETLS, decode(&sides[0], room));
    assert_non_null(strstr(sides[0].coder->why, "unknown ca"));
    both_close(sides);
    tr__tls_free(&stranger);
}

static void what_are_no_certificates_is_an_error(void **state)
{
    tr__tls *made = NULL;
    char text[sizeof ours.ca + 64]; // a good one, and another
    (void)state;
    snprintf(text, sizeof text, "%s%s", ours.ca,
             "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (int i = 0; i < 5; i++) {
        tr__papers papers = papers_of(&ours);
        if (i == 0)
            papers.ca = "nothing";
        else if (i == 1)
            papers.cert = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
        else if (i == 2)
            papers.key = papers.cert;
        else if (i == 3)
            papers.key = strange.key;
        else
            papers.ca = text;
        assert_int_equal(TR_ETLS, tr__tls_open(&papers, &made));
        assert_null(made);
    }
}

// ---- A coder that accepts, and OpenSSL ----

struct peer {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out; // as it sees them
    struct side side;
    int rc; // of shaking hands
};

static void peer_show(SSL_CTX *context, const struct papers_text *shown)
{
    BIO *cert = BIO_new_mem_buf(shown->cert, -1), *key = BIO_new_mem_buf(shown->key, -1);
    X509 *x509 = PEM_read_bio_X509(cert, NULL, NULL, NULL);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    assert_int_equal(1, SSL_CTX_use_certificate(context, x509));
    assert_int_equal(1, SSL_CTX_use_PrivateKey(context, pkey));
    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(cert);
    BIO_free(key);
}

static void peer_open(struct peer *p, int version, const struct papers_text *shown)
{
    tr__coder *coder;
    p->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(p->context, 0);
    SSL_CTX_set_min_proto_version(p->context, version);
    SSL_CTX_set_max_proto_version(p->context, version);
    if (shown != NULL)
        peer_show(p->context, shown);
    p->ssl = SSL_new(p->context);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    SSL_set_bio(p->ssl, p->in, p->out);
    SSL_set_connect_state(p->ssl);
    assert_int_equal(0, tr__tls_server(tls, &coder));
    side_open(&p->side, coder);
    p->rc = TR_EAGAIN;
}

static void peer_close(struct peer *p)
{
    side_close(&p->side);
    SSL_free(p->ssl);
    SSL_CTX_free(p->context);
}

// Both ways, what there is. Returns how much that was.
static size_t peer_carry(struct peer *p)
{
    tr__wire *in = &p->side.coder->in, *out = &p->side.coder->out;
    to_front(in);
    int n = BIO_read(p->out, in->bytes + in->end, (int)tr__wire_room(in));
    in->end += n > 0 ? (size_t)n : 0;
    int m = BIO_write(p->in, out->bytes + out->at, (int)tr__wire_used(out));
    out->at += m > 0 ? (size_t)m : 0;
    to_front(out);
    return (n > 0 ? (size_t)n : 0) + (m > 0 ? (size_t)m : 0);
}

static void peer_shake(struct peer *p)
{
    do {
        SSL_do_handshake(p->ssl);
        peer_carry(p);
        if (p->rc == TR_EAGAIN)
            p->rc = p->side.coder->ops->shake(p->side.coder);
    } while (peer_carry(p) > 0);
    ERR_clear_error();
}

static void both_versions_are_spoken_and_none_before(void **state)
{
    static struct peer p;
    char room[64];
    (void)state;
    for (int version = TLS1_1_VERSION; version <= TLS1_3_VERSION; version++) {
        peer_open(&p, version, &ours);
        peer_shake(&p);
        assert_int_equal(version == TLS1_1_VERSION ? TR_ETLS : 0, p.rc);
        if (p.rc < 0) {
            assert_string_equal("unsupported protocol", p.side.coder->why);
        } else {
            assert_int_equal(2, p.side.coder->ops->encode(p.side.coder, "hi", 2));
            peer_carry(&p);
            assert_int_equal(2, SSL_read(p.ssl, room, sizeof room));
            assert_int_equal(0, SSL_SESSION_has_ticket(SSL_get_session(p.ssl)));
        }
        peer_close(&p);
    }
}

static void who_shows_no_certificate_is_refused(void **state)
{
    static struct peer p;
    (void)state;
    peer_open(&p, TLS1_3_VERSION, NULL);
    peer_shake(&p);
    assert_int_equal(TR_ETLS, p.rc);
    assert_string_equal("peer did not return a certificate", p.side.coder->why);
    peer_close(&p);
}

// Goal:   a peer that wants new keys all the time, and reads no answer, costs no more memory than
//         the wires have, and is served when it reads.
static void changes_of_keys_are_answered_as_there_is_room(void **state)
{
    static struct peer p;
    tr__wire *out, *in;
    char room[64];
    unsigned asked = 0;
    ssize_t n = TR_EAGAIN;
    (void)state;
    peer_open(&p, TLS1_3_VERSION, &ours);
    peer_shake(&p);
    assert_int_equal(0, p.rc);
    out = &p.side.coder->out;
    in = &p.side.coder->in;
    while (tr__wire_used(in) == 0) { // until it is left there
        assert_in_range(++asked, 1, 10000);
        assert_int_equal(1, SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED));
        assert_int_equal(1, SSL_do_handshake(p.ssl));
        int size = BIO_read(p.out, in->bytes + in->end, (int)tr__wire_room(in));
        in->end += (size_t)size;
        n = decode(&p.side, room);
        assert_int_equal(TR_EAGAIN, n);
        to_front(in);
    }
    assert_in_range(out->end, TR__WIRE_BYTES - 256, TR__WIRE_BYTES);
    assert_int_equal(2, SSL_write(p.ssl, "hi", 2));
    while (n == TR_EAGAIN) {
        peer_carry(&p);
        n = decode(&p.side, room);
    }
    assert_int_equal(2, n);
    peer_carry(&p);
    assert_int_equal(5, p.side.coder->ops->encode(p.side.coder, "hello", 5));
    peer_carry(&p);
    assert_int_equal(5, SSL_read(p.ssl, room, sizeof room));
    peer_close(&p);
}

// Goal:   TLS 1.2: new hands are not shaken, and what is said goes on.
static void a_second_handshake_is_refused_and_harms_nothing(void **state)
{
    static struct peer p;
    char room[64];
    (void)state;
    peer_open(&p, TLS1_2_VERSION, &ours);
    peer_shake(&p);
    assert_int_equal(0, p.rc);
    assert_int_equal(1, SSL_renegotiate(p.ssl));
    SSL_do_handshake(p.ssl);
    peer_carry(&p);
    assert_int_equal(TR_EAGAIN, decode(&p.side, room));
    assert_true(tr__wire_used(&p.side.coder->out) > 0); // the refusal
    assert_int_equal(5, p.side.coder->ops->encode(p.side.coder, "hello", 5));
    peer_close(&p);
}

static void nonsense_is_told_of_and_answered(void **state)
{
    static const char *const lines[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                        "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
                                        "\x80\x2e\x01\x00\x02\x00\x15\x00"};
    static const size_t sizes[] = {35, 10, 8};
    (void)state;
    for (int i = 0; i < 3; i++) {
        static struct side s;
        tr__coder *coder;
        assert_int_equal(0, tr__tls_server(tls, &coder));
        side_open(&s, coder);
        tr__wire_add(&coder->in, lines[i], sizes[i]);
        int rc = coder->ops->shake(coder);
        coder->in.ended = true;
        if (rc == TR_EAGAIN)
            rc = coder->ops->shake(coder);
        assert_true(rc == TR_ETLS ? coder->why[0] != '\0' : rc == TR_EDOWN);
        assert_true(i != 0 || (rc == TR_ETLS && strcmp(coder->why, "http request") == 0));
        side_close(&s);
    }
}

static int papers_open(void **state)
{
    (void)state;
    papers_make(&ours);
    papers_make_also(&named, "IP:127.0.0.1,IP:::1,DNS:b.test");
    papers_make(&strange);
    tls = tls_of(&ours);
    return 0;
}

static int papers_close(void **state)
{
    (void)state;
    tr__tls_free(&tls);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_encodes_the_other_decodes),
        cmocka_unit_test(one_half_may_end_before_the_other),
        cmocka_unit_test(a_wire_that_is_cut_is_an_end),
        cmocka_unit_test(who_is_dialled_must_be_named_in_the_certificate),
        cmocka_unit_test(certificates_of_another_authority_are_refused_by_both),
        cmocka_unit_test(what_are_no_certificates_is_an_error),
        cmocka_unit_test(both_versions_are_spoken_and_none_before),
        cmocka_unit_test(who_shows_no_certificate_is_refused),
        cmocka_unit_test(changes_of_keys_are_answered_as_there_is_room),
        cmocka_unit_test(a_second_handshake_is_refused_and_harms_nothing),
        cmocka_unit_test(nonsense_is_told_of_and_answered),
    };
    return cmocka_run_group_tests_name("filter/tls", tests, papers_open, papers_close);
}
