#include "support/papers.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// What openssl says of its progress is thrown away.
static void openssl(char *const *argv)
{
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, "openssl", &actions, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) {
        fprintf(stderr, "openssl cannot make a certificate\n");
        abort();
    }
}

static char *path(char text[256], const char *directory, const char *name, const char *kind)
{
    snprintf(text, 256, "%s/%s.%s", directory, name, kind);
    return text;
}

#define REQUEST                                                                                    \
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",        \
        "-nodes", "-days", "2"

void papers_authority(const char *directory, const char *authority)
{
    char cert[256], key[256];
    const char *argv[] = {REQUEST,
                          "-subj",
                          "/CN=authority",
                          "-keyout",
                          path(key, directory, authority, "key"),
                          "-out",
                          path(cert, directory, authority, "pem"),
                          NULL};
    openssl((char *const *)argv);
}

static void sign(const char *directory, const char *authority, const char *name, const char *also)
{
    char names[128];
    snprintf(names, sizeof names, "subjectAltName=%s", also);
    char ca[256], ca_key[256], cert[256], key[256];
    const char *argv[] = {REQUEST,
                          "-subj",
                          "/CN=" PAPERS_NAME,
                          "-addext",
                          "basicConstraints=critical,CA:FALSE",
                          "-CA",
                          path(ca, directory, authority, "pem"),
                          "-CAkey",
                          path(ca_key, directory, authority, "key"),
                          "-keyout",
                          path(key, directory, name, "key"),
                          "-out",
                          path(cert, directory, name, "pem"),
                          also == NULL ? NULL : "-addext",
                          names,
                          NULL};
    openssl((char *const *)argv);
}

void papers_sign(const char *directory, const char *authority, const char *name)
{
    sign(directory, authority, name, NULL);
}

static void papers_take(const char *directory, const char *name, const char *kind, char text[4096])
{
    char file_path[256];
    FILE *file = fopen(path(file_path, directory, name, kind), "r");
    if (file == NULL)
        abort();
    text[fread(text, 1, 4095, file)] = '\0';
    fclose(file);
    unlink(file_path);
}

void papers_make(struct papers_text *ret_papers)
{
    papers_make_also(ret_papers, NULL);
}

void papers_make_also(struct papers_text *ret_papers, const char *also)
{
    char directory[] = "/tmp/troupe-papers-XXXXXX", unused[4096];
    if (mkdtemp(directory) == NULL)
        abort();
    papers_authority(directory, "ca");
    sign(directory, "ca", "node", also);
    papers_take(directory, "ca", "pem", ret_papers->ca);
    papers_take(directory, "ca", "key", unused);
    papers_take(directory, "node", "pem", ret_papers->cert);
    papers_take(directory, "node", "key", ret_papers->key);
    rmdir(directory);
}
