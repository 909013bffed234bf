// A sequence diagram in mermaid's language.
#include "cli/cli.h"

void out_mermaid(FILE *out, const events *all, clocks *c)
{
    char *text = NULL, note[256];
    if (tr_trace_diagram(all->all, all->count, &text) == 0)
        fputs(text, out);
    tr_free(text);
    while (clocks_next(c, note, sizeof note) != NULL)
        fprintf(out, "    %%%% %s\n", note);
}
