// Heads of messages: looked at where they lie.
//
// Headers are not copied into a table: a head that the parser has passed is walked over again
// whenever somebody asks, which most never do.
#include "http_parse.h"

int tr__http_append(tr_buf **buf, size_t *used, const char *at, size_t size, size_t first)
{
    size_t room = *buf != NULL ? tr_buf_size(*buf) : 0, wanted = room > 0 ? room : first;
    tr_buf *bigger;
    while (wanted < *used + size)
        wanted *= 2;
    if (wanted > room) {
        int rc = tr_buf_new(wanted, &bigger);
        if (rc < 0)
            return rc;
        if (*used > 0)
            memcpy(tr_buf_data(bigger), tr_buf_data(*buf), *used);
        tr_buf_unref(buf);
        *buf = bigger;
    }
    memcpy((char *)tr_buf_data(*buf) + *used, at, size);
    *used += size;
    return 0;
}

static char lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool tr__http_name_is(tr_str name, const char *lower)
{
    for (size_t i = 0; i < name.len; i++) {
        if (lower[i] == '\0' || lower_of(name.ptr[i]) != lower[i])
            return false;
    }
    return lower[name.len] == '\0';
}

static bool char_is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool tr__http_name_is_good(tr_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!char_is_token(name.ptr[i]))
            return false;
    }
    return name.len > 0;
}

bool tr__http_value_is_good(tr_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return value.ptr != NULL || value.len == 0;
}

static tr_str str_of(const char *ptr, const char *end)
{
    return (tr_str){ptr, (size_t)(end - ptr)};
}

static bool char_is_space(char c)
{
    return c == ' ' || c == '\t';
}

static tr_str str_trim(tr_str s)
{
    while (s.len > 0 && char_is_space(s.ptr[0]))
        s.ptr++, s.len--;
    while (s.len > 0 && char_is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

// ---- Lists of words, as of Connection ----

bool tr__http_list_has(tr_str list, const char *lower)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        const char *end = list.ptr + list.len, *stop = comma != NULL ? comma : end;
        if (tr__http_name_is(str_trim(str_of(list.ptr, stop)), lower))
            return true;
        list = comma != NULL ? str_of(comma + 1, end) : (tr_str){NULL, 0};
    }
    return false;
}

// ---- Headers ----

bool tr_http_header_next(tr_str *headers, tr_http_header *ret_header)
{
    if (headers == NULL || ret_header == NULL || headers->len == 0)
        return false;
    const char *end = headers->ptr + headers->len;
    const char *feed = memchr(headers->ptr, '\n', headers->len);
    const char *stop = feed != NULL ? feed : end;
    const char *colon = memchr(headers->ptr, ':', (size_t)(stop - headers->ptr));
    if (colon == NULL)
        return false;
    ret_header->name = str_of(headers->ptr, colon);
    if (stop > colon + 1 && stop[-1] == '\r')
        stop--;
    ret_header->value = str_trim(str_of(colon + 1, stop));
    *headers = feed != NULL ? str_of(feed + 1, end) : (tr_str){end, 0};
    return true;
}

bool tr_http_header_get(tr_str headers, const char *name, tr_str *ret_value)
{
    char lower[64];
    size_t len = name != NULL ? strlen(name) : 0;
    tr_http_header header;
    if (len == 0 || len >= sizeof lower || ret_value == NULL)
        return false;
    for (size_t i = 0; i <= len; i++)
        lower[i] = lower_of(name[i]);
    while (tr_http_header_next(&headers, &header)) {
        if (header.name.len == len && tr__http_name_is(header.name, lower)) {
            *ret_value = header.value;
            return true;
        }
    }
    return false;
}

bool tr_http_header_is_hop(tr_str name)
{
    static const char *const hops[] = {"connection", "keep-alive",    "proxy-connection",
                                       "te",         "trailer",       "transfer-encoding",
                                       "upgrade",    "content-length"};
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        if (tr__http_name_is(name, hops[i]))
            return true;
    }
    return false;
}

// Without scheme and authority, as a proxy is sent them.
static tr_str target_local(tr_str target)
{
    const char *slashes = target.len > 0 && target.ptr[0] != '/'
                              ? memchr(target.ptr, ':', target.len < 8 ? target.len : 8)
                              : NULL;
    const char *end = target.ptr + target.len;
    if (slashes == NULL || end - slashes < 3 || memcmp(slashes, "://", 3) != 0)
        return target;
    const char *path = slashes + 3;
    while (path < end && *path != '/' && *path != '?')
        path++;
    return path < end ? str_of(path, end) : (tr_str){"/", 1};
}

tr_str tr_http_path(tr_str target)
{
    tr_str local = target_local(target);
    const char *mark = local.len > 0 ? memchr(local.ptr, '?', local.len) : NULL;
    tr_str path = mark != NULL ? str_of(local.ptr, mark) : local;
    return path.len > 0 ? path : (tr_str){"/", 1};
}

tr_str tr_http_query(tr_str target)
{
    const char *mark = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    return mark != NULL ? str_of(mark + 1, target.ptr + target.len) : (tr_str){"", 0};
}

// 00-32 hex digits-16 hex digits-2 hex digits, none of the numbers 0.
bool tr__http_traceparent_is_good(tr_str value)
{
    static const char form[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    if (value.len != sizeof form - 1)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (form[i] == 'x' ? !hex : c != form[i])
            return false;
    }
    return memcmp(value.ptr + 3, "00000000000000000000000000000000", 32) != 0 &&
           memcmp(value.ptr + 36, "0000000000000000", 16) != 0;
}

// ---- The scan ----

// The first line: three words, the last of which may have spaces, or be missing.
static void head_words(tr__http_head *head, const char *line, const char *end)
{
    for (int i = 0; i < 3; i++) {
        const char *space = i < 2 ? memchr(line, ' ', (size_t)(end - line)) : NULL;
        const char *stop = space != NULL ? space : end;
        head->words[i] = str_of(line, stop);
        line = space != NULL ? stop + 1 : end;
    }
}

// What the server has to know of every request. Only what begins so is looked at closely.
static void head_header(tr__http_head *head, const char *line, size_t size)
{
    head->lines++;
    switch (*line) {
    case 'h':
    case 'H':
        head->hosts += size > 4 && line[4] == ':' && tr__http_name_is((tr_str){line, 4}, "host");
        break;
    case 'e':
    case 'E':
        head->expects |=
            size > 6 && line[6] == ':' && tr__http_name_is((tr_str){line, 6}, "expect");
        break;
    case 't':
    case 'T':
        head->traced |=
            size > 11 && line[11] == ':' && tr__http_name_is((tr_str){line, 11}, "traceparent");
        break;
    default:
        break;
    }
}

// A line up to its CR LF. NULL: it does not end so.
static const char *line_end(const char *line, const char *end)
{
    const char *feed = memchr(line, '\n', (size_t)(end - line));
    if (feed == NULL || feed == line || feed[-1] != '\r')
        return NULL;
    const char *stop = feed - 1;
    return memchr(line, '\r', (size_t)(stop - line)) == NULL ? stop : NULL;
}

bool tr__http_head_scan(const char *bytes, size_t size, tr__http_head *ret_head)
{
    tr__http_head head = {0};
    const char *line = bytes, *end = bytes + size, *stop;
    while (line < end && (*line == '\r' || *line == '\n')) // some clients send one too many
        line++;
    if ((stop = line_end(line, end)) == NULL)
        return false;
    head_words(&head, line, stop);
    head.headers.ptr = stop + 2;
    for (line = stop + 2; (stop = line_end(line, end)) != line; line = stop + 2) {
        if (stop == NULL || char_is_space(*line) || *line == ':')
            return false;
        head_header(&head, line, (size_t)(stop - line));
    }
    head.headers.len = (size_t)(line - head.headers.ptr);
    head.bytes = (size_t)(line + 2 - bytes);
    *ret_head = head;
    return true;
}
