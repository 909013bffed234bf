// A sequence diagram in mermaid's language.
#include "cli/cli.h"

void out_mermaid(FILE *out, const events *all)
{
    char *text = NULL;
    if (tr_trace_diagram(all->all, all->count, &text) == 0)
        fputs(text, out);
    tr_free(text);
}
