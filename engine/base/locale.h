/*
 * Numbers in files have a point, whatever the host's locale says. The library never sets a locale,
 * and a program of ours stays in "C"; a host may have chosen one with a decimal comma. What reads
 * or writes numbers runs between these two, which are of the calling thread alone:
 *
 *     locale_t before = dv_locale_enter();
 *     ...
 *     dv_locale_leave(before);
 *
 * A function of the host's is called in the host's locale: uselocale(before), and back.
 */
#ifndef DV_BASE_LOCALE_H
#define DV_BASE_LOCALE_H

#include <locale.h>

/* The thread is in the locale "C" from here on. The result is the locale that it was in. */
locale_t dv_locale_enter(void);
void dv_locale_leave(locale_t before);

#endif
