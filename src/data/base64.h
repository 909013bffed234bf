// Base64 with padding, for the printer of JSON.
#ifndef TROUPE_DATA_BASE64_H
#define TROUPE_DATA_BASE64_H

#include <troupe/bytes.h>

size_t tr__base64_size(tr_bytes bytes); // of the text
void tr__base64_print(tr_bytes bytes, char *to);

#endif
