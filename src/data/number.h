// Doubles as text and back, the same under every locale.
#ifndef TROUPE_DATA_NUMBER_H
#define TROUPE_DATA_NUMBER_H

#define TR__NUMBER_MAX 32

// The shortest text that reads back as exactly f, which is finite; always one that shows a float,
// as in "1.0".
void tr__number_print(double f, char text[TR__NUMBER_MAX]);

// text: NUL-terminated, a number by JSON's grammar. Infinite when it is too large.
double tr__number_parse(const char *text);

#endif
