// Dates as HTTP writes them, in the one form that is written since 1999: Sun, 06 Nov 1994 08:49:37
// GMT. By hand: strftime knows locales, and this is needed once a second and for each file.
#include "http_parse.h"

static const char days[] = "ThuFriSatSunMonTueWed"; // 1970 began on the first one
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

enum { DAY = 86400 };

// Days since 1970 of a date, and back: a year that begins in March has its leap day at its end.
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static void date_of(int64_t day, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = day + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
    *ret_day = (int)(doy - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = (int)(yoe + era * 400 + (*ret_month <= 2));
}

static void digits_put(char *at, int count, int64_t value)
{
    for (; count > 0; value /= 10)
        at[--count] = (char)('0' + value % 10);
}

static bool digits_get(const char *at, int count, int64_t *ret_value)
{
    *ret_value = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *ret_value = *ret_value * 10 + (at[i] - '0');
    }
    return true;
}

void tr__http_date_print(int64_t seconds, char text[TR__HTTP_DATE_BYTES])
{
    int year, month, day;
    const int64_t last = INT64_C(253402300799); // of the year 9999
    seconds = seconds < 0 ? 0 : seconds > last ? last : seconds;
    date_of(seconds / DAY, &year, &month, &day);
    memcpy(text, "Xxx, 00 Xxx 0000 00:00:00 GMT", TR__HTTP_DATE_BYTES);
    memcpy(text, days + 3 * (seconds / DAY % 7), 3);
    digits_put(text + 5, 2, day);
    memcpy(text + 8, months + 3 * (month - 1), 3);
    digits_put(text + 12, 4, year);
    digits_put(text + 17, 2, seconds % DAY / 3600);
    digits_put(text + 20, 2, seconds % 3600 / 60);
    digits_put(text + 23, 2, seconds % 60);
}

static int64_t month_find(const char *name)
{
    for (int i = 0; i < 12; i++) {
        if (memcmp(months + 3 * i, name, 3) == 0)
            return i + 1;
    }
    return 0;
}

// Printed again it has to be the same: that checks the rest.
bool tr__http_date_parse(tr_str text, int64_t *ret_seconds)
{
    char again[TR__HTTP_DATE_BYTES];
    const char *t = text.ptr;
    int64_t day, year, hour, minute, second;
    if (text.len != TR__HTTP_DATE_BYTES || !digits_get(t + 5, 2, &day) ||
        !digits_get(t + 12, 4, &year) || !digits_get(t + 17, 2, &hour) ||
        !digits_get(t + 20, 2, &minute) || !digits_get(t + 23, 2, &second) || year < 1970 ||
        month_find(t + 8) == 0)
        return false;
    int64_t seconds =
        days_of(year, month_find(t + 8), day) * DAY + hour * 3600 + minute * 60 + second;
    tr__http_date_print(seconds, again);
    if (memcmp(again, t, sizeof again) != 0)
        return false;
    *ret_seconds = seconds;
    return true;
}
