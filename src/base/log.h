// Warnings, to the one sink that the user may set (troupe/node.h). Never on a send path.
#ifndef TROUPE_BASE_LOG_H
#define TROUPE_BASE_LOG_H

// id is stable, in lower case with dots: "child.stop". The rest is printf's.
void tr__warn(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same for what has failed for good.
void tr__error(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
