/* Sets the locale of a thread that reads and writes numbers. */
#include "engine/base/locale.h"

/* The locale "C" always exists. If it cannot be made nevertheless, the thread keeps its own. */
locale_t dv_locale_enter(void)
{
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

void dv_locale_leave(locale_t before)
{
    locale_t ours = uselocale(before);
    if (ours != before)
        freelocale(ours);
}
