// The C library converts correctly, but in the user's locale, where the point may be a comma. So
// its functions run with the "C" locale on this thread; getting that one takes no memory in the C
// libraries that we know, and where it fails the user's own locale stays.
//
// Fifteen digits are enough for every number that a person has written, seventeen for every number
// there is; the first count that reads back the same is taken.
#include "data/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

typedef struct number_locale {
    locale_t c, users;
} number_locale;

static number_locale number_enter(void)
{
    number_locale locale = {.c = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    locale.users = uselocale(locale.c);
    return locale;
}

static void number_leave(number_locale locale)
{
    uselocale(locale.users);
    if (locale.c != (locale_t)0)
        freelocale(locale.c);
}

void tr__number_print(double f, char text[TR__NUMBER_MAX])
{
    tr_assert(isfinite(f));
    number_locale locale = number_enter();
    int digits = 15, size;
    do
        size = snprintf(text, TR__NUMBER_MAX, "%.*g", digits, f);
    while (strtod(text, NULL) != f && ++digits <= 17);
    number_leave(locale);
    tr_assert(digits <= 17);
    if (strpbrk(text, ".e") == NULL)
        memcpy(text + size, ".0", sizeof ".0");
}

double tr__number_parse(const char *text)
{
    number_locale locale = number_enter();
    double f = strtod(text, NULL);
    number_leave(locale);
    return f;
}
