// A buffer made of text, how it is shown, and the text again.
#include <stdio.h>
#include <troupe.h>

int main(void)
{
    tr_buf *buf = NULL, *text = NULL;
    char shown[TR_INSPECT_MAX];
    int rc = tr_text_parse(tr_str_of("Hello"), TR_UTF8, &buf);
    if (rc == 0)
        rc = tr_bytes_print(tr_buf_bytes(buf), TR_UTF8, &text);
    if (rc == 0) {
        puts(tr_bytes_inspect(tr_buf_bytes(buf), shown, sizeof shown));
        puts(tr_buf_data(text));
    }
    tr_buf_unref(&buf);
    tr_buf_unref(&text);
    return rc < 0;
}
