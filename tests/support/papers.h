// Certificates for tests, made by openssl when they are wanted: an authority in "ca.pem", what it has
// signed in "NAME.pem" with the key in "NAME.key", and the same of another authority. The name in all
// of them is PAPERS_NAME.
#ifndef TROUPE_TESTS_SUPPORT_PAPERS_H
#define TROUPE_TESTS_SUPPORT_PAPERS_H

#define PAPERS_NAME "node.test"

// An authority, in "AUTHORITY.pem" and "AUTHORITY.key" of the directory.
void papers_authority(const char *directory, const char *authority);
// A certificate that it signs, in "NAME.pem" and "NAME.key".
void papers_sign(const char *directory, const char *authority, const char *name);

// An authority's, and one that it has signed, as text. also: who else that names, as in
// "IP:127.0.0.1"; NULL: nobody
struct papers_text {
    char ca[4096], cert[4096], key[4096];
};
void papers_make(struct papers_text *ret_papers);
void papers_make_also(struct papers_text *ret_papers, const char *also);

#endif
