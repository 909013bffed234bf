// The parser: llhttp, which is Node's, behind what http_parse.h says.
//
// It runs over a message up to its end and stops there, so that nothing of the next one is taken
// before this one has been dealt with. The head is called for while llhttp is at its last byte, so
// a request without a body costs one call. All leniency is off; what llhttp lets pass all the same
// (folded lines, headers without a name) http_head.c finds.
#include "http_parse.h"

#include <llhttp.h>

_Static_assert(sizeof(llhttp_t) <= TR__HTTP_PARSER_BYTES, "there is room for llhttp's state");

static llhttp_t *inner(tr__http_parser *p)
{
    return (llhttp_t *)(void *)p->room;
}

static tr__http_parser *outer(llhttp_t *l)
{
    return (tr__http_parser *)(void *)l; // the room is its first member
}

static int stop(tr__http_parser *p, int verdict)
{
    p->verdict = verdict;
    return HPE_USER;
}

static int on_target(llhttp_t *l, const char *at, size_t size)
{
    tr__http_parser *p = outer(l);
    (void)at;
    p->target += size;
    return p->target > p->target_max ? stop(p, -414) : 0;
}

static int on_head(llhttp_t *l);

static int on_body(llhttp_t *l, const char *at, size_t size)
{
    tr__http_parser *p = outer(l);
    int rc = p->ops->body(p, at, size);
    return rc < 0 ? stop(p, rc) : 0;
}

// Extensions of chunks, and trailers: nobody wants them, but they come from outside.
static int on_extra(llhttp_t *l, const char *at, size_t size)
{
    tr__http_parser *p = outer(l);
    (void)at;
    p->extra += size + 1;
    return p->extra > p->extra_max ? stop(p, -431) : 0;
}

static int on_done(llhttp_t *l)
{
    (void)l;
    return HPE_PAUSED;
}

static const llhttp_settings_t head_settings = {
    .on_url = on_target,
    .on_headers_complete = on_head,
    .on_message_complete = on_done,
};

static const llhttp_settings_t body_settings = {
    .on_body = on_body,
    .on_header_field = on_extra,
    .on_header_value = on_extra,
    .on_chunk_extension_name = on_extra,
    .on_chunk_extension_value = on_extra,
    .on_message_complete = on_done,
};

static int on_head(llhttp_t *l)
{
    tr__http_parser *p = outer(l);
    p->has_head = true;
    l->settings = (void *)(uintptr_t)&body_settings;
    int rc = p->ops->head(p);
    p->waits = rc > 0;
    return rc < 0 ? stop(p, rc) : rc > 0 ? HPE_PAUSED : 0;
}

void tr__http_parser_init(tr__http_parser *p, bool response, const tr__http_parse_ops *ops)
{
    llhttp_init(inner(p), response ? HTTP_RESPONSE : HTTP_REQUEST, &head_settings);
    p->ops = ops;
    p->target = p->extra = 0;
    p->verdict = 0;
    p->has_head = p->waits = false;
}

int tr__http_parse(tr__http_parser *p, const char *bytes, size_t size, size_t *ret_used)
{
    llhttp_t *l = inner(p);
    llhttp_errno_t rc = llhttp_execute(l, bytes, size);
    if (rc == HPE_OK) {
        *ret_used = size;
        return TR__HTTP_MORE;
    }
    if (rc != HPE_PAUSED)
        return p->verdict < 0 ? p->verdict : -400;
    *ret_used = (size_t)(llhttp_get_error_pos(l) - bytes);
    if (p->waits) {
        p->waits = false;
        llhttp_resume(l);
        return TR__HTTP_HEAD;
    }
    tr__http_parser_init(p, l->type == HTTP_RESPONSE, p->ops);
    return TR__HTTP_DONE;
}

int tr__http_parse_end(tr__http_parser *p)
{
    llhttp_errno_t rc = p->has_head ? llhttp_finish(inner(p)) : HPE_USER;
    return rc == HPE_OK || rc == HPE_PAUSED ? TR__HTTP_DONE : -400;
}

tr__http_framing tr__http_parser_framing(const tr__http_parser *p)
{
    const llhttp_t *l = (const llhttp_t *)(const void *)p->room;
    return (tr__http_framing){
        .keep_alive = llhttp_should_keep_alive(l) != 0,
        .upgrade = l->upgrade != 0,
        .chunked = (l->flags & F_CHUNKED) != 0,
        .coded = (l->flags & F_TRANSFER_ENCODING) != 0,
        .length = l->flags & F_CONTENT_LENGTH ? l->content_length : 0,
        .status = l->status_code,
    };
}

void tr__http_parser_skip_body(tr__http_parser *p)
{
    inner(p)->flags |= F_SKIPBODY;
}

void tr__http_parser_no_upgrade(tr__http_parser *p)
{
    inner(p)->upgrade = 0;
}
