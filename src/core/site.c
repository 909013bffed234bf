// Sites as text. Only the form is looked at here: whether an address is a good one, the world says.
#include <stdio.h>
#include <string.h>
#include <troupe/error.h>

#include "core/site.h"

static int site_name(tr_site *site, const char *name, size_t size)
{
    if (size == 0)
        return TR_EINVAL;
    if (size >= sizeof site->name)
        return TR_ENAMETOOLONG;
    memcpy(site->name, name, size);
    site->name[size] = '\0';
    return 0;
}

int tr__site_path(const char *path, tr_site *ret_site)
{
    tr_site site = {0};
    int rc = site_name(&site, path, strlen(path));
    if (rc == 0)
        *ret_site = site;
    return rc;
}

static int port_parse(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;
    size_t count = strspn(text, "0123456789");
    if (count == 0 || count > 5 || text[count] != '\0')
        return TR_EINVAL;
    for (; *text != '\0'; text++)
        port = port * 10 + (unsigned)(*text - '0');
    *ret_port = (uint16_t)port;
    return port > UINT16_MAX ? TR_EINVAL : 0;
}

// "host:port", or "[host]:port" for one that has colons itself.
static int tcp_parse(const char *text, tr_site *ret_site)
{
    tr_site site = {.tcp = true};
    bool bracket = text[0] == '[';
    const char *host = text + bracket;
    size_t size = strcspn(host, bracket ? "]" : ":");
    const char *colon = host + size + (bracket && host[size] == ']');
    int rc = *colon != ':' ? TR_EINVAL : port_parse(colon + 1, &site.port);
    if (rc == 0)
        rc = site_name(&site, host, size);
    if (rc == 0)
        *ret_site = site;
    return rc;
}

// What follows the prefix; NULL: it is not there.
static const char *after(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

static int site_parse(const char *text, tr_site *ret_site)
{
    const char *path = after(text, "unix:"), *given = after(text, "fd:");
    const char *tcp = after(text, "tcp://");
    if (path != NULL || given != NULL) {
        int rc = tr__site_path(path != NULL ? path : given, ret_site);
        if (rc == 0)
            ret_site->given = given != NULL;
        return rc;
    }
    return tcp != NULL ? tcp_parse(tcp, ret_site) : TR_EINVAL;
}

static bool site_is_name(const tr_site *site)
{
    return site->tcp && strchr(site->name, ':') == NULL &&
           site->name[strspn(site->name, "0123456789.")] != '\0';
}

int tr__sites_parse(const char *text, tr_site ret_sites[TR__SITES_KNOWN])
{
    static const tr_site localhost[TR__SITES_KNOWN] = {{.tcp = true, .name = "127.0.0.1"},
                                                       {.tcp = true, .name = "::1"}};
    tr_site site;
    int rc = site_parse(text, &site);
    if (rc < 0)
        return rc;
    ret_sites[0] = site;
    if (strcmp(site.name, "localhost") != 0 || !site.tcp)
        return site_is_name(&site) ? 0 : 1;
    for (int i = 0; i < TR__SITES_KNOWN; i++) {
        ret_sites[i] = localhost[i];
        ret_sites[i].port = site.port;
    }
    return TR__SITES_KNOWN;
}

void tr__site_print(const tr_site *site, char text[TR_ADDRESS_MAX])
{
    bool bracket = strchr(site->name, ':') != NULL;
    if (site->tcp)
        snprintf(text, TR_ADDRESS_MAX, bracket ? "tcp://[%s]:%u" : "tcp://%s:%u", site->name,
                 (unsigned)site->port);
    else
        snprintf(text, TR_ADDRESS_MAX, "%s:%s", site->given ? "fd" : "unix", site->name);
}
