// The sentences and the names of errors, made from the one list in troupe/error.h.
//
// Codes that are not in the list come from the system or from libuv, whose numbers down to -4095
// are the system's, too; they get the system's sentence.
#include <string.h>
#include <troupe/error.h>

#define ERROR_SYSTEM_MIN (-4095)

const char *tr_strerror(int error)
{
    switch (error) {
#define ERROR_TEXT(name, number, text)                                                             \
    case number:                                                                                   \
        return text;
        TR_ERROR_MAP(ERROR_TEXT)
#undef ERROR_TEXT
    default:
        return error >= ERROR_SYSTEM_MIN ? strerror(-error) : "unknown error";
    }
}

const char *tr_errname(int error)
{
    switch (error) {
#define ERROR_NAME(name, number, text)                                                             \
    case number:                                                                                   \
        return #name;
        TR_ERROR_MAP(ERROR_NAME)
#undef ERROR_NAME
    default:
        return "TR_E?";
    }
}
