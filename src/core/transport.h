// Transports: what carries links where the world's own sockets do not: through TLS, WebSocket, or
// another library. What a transport connects and accepts are endpoints and listeners like the
// world's, with the same rules, so all that lies on top of those (remote/link_sp.c) does not know
// the difference. They are told in the world's poll, and have of the world's calls those that begin
// with endpoint_ and listener_, without parcels.
#ifndef TROUPE_CORE_TRANSPORT_H
#define TROUPE_CORE_TRANSPORT_H

#include "core/world.h"

typedef struct tr__carriage tr__carriage; // a transport at work for one loop

// Certificates, as PEM text.
typedef struct tr__papers {
    const char *ca;   // who has signed those of the others
    const char *cert; // one's own
    const char *key;
    const char *name; // that is in the certificate of whom is dialled; NULL: the url's host
} tr__papers;

typedef enum tr__proof {
    TR__PROOF_USER,  // the system says whose process it is
    TR__PROOF_NONE,  // anybody may be there
    TR__PROOF_PAPERS // both sides have shown certificates
} tr__proof;

typedef struct tr__transport {
    // Whether it carries what this url names. ret_proof: how one knows who is at the other end
    bool (*carries)(const char *url, tr__proof *ret_proof);
    // Where the host of a url that it carries is, as tr__sites_parse says. NULL: connect finds it.
    int (*sites)(const char *url, tr_site ret_sites[2]);
    // Begin. errors: TR_ENOSYS (the library is not there), TR_ENOMEM, system errors
    int (*open)(tr_world *world, tr__carriage **ret_carriage);
    // Bytes that were written and have not left, also of endpoints that are closed: close throws
    // them away. NULL: there are none.
    size_t (*queued)(const tr__carriage *carriage);
    // Whoever is not closed is, and hears of it, at the latest from the world's close.
    void (*close)(tr__carriage **carriage);
    // site: one of sites. papers: NULL, if there are none.
    // errors: as of the world's connect; TR_EINVAL (it needs papers); TR_ETLS (they are not good)
    int (*connect)(tr__carriage *carriage, const char *url, const tr_site *site,
                   const tr__papers *papers, tr_endpoint **ret_endpoint);
    // errors: as of the world's listen; TR_EINVAL, TR_ETLS, likewise
    int (*listen)(tr__carriage *carriage, const char *url, const tr__papers *papers,
                  const tr_listener_up *up, void *owner, tr_listener **ret_listener);
} tr__transport;

#endif
