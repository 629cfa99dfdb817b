/*
 * Numbers in files have a decimal point in every locale. Our own programs stay in the locale "C",
 * but a host program may have chosen one with a decimal comma. So code that reads or writes numbers
 * runs between these two calls, which change the locale of the calling thread alone:
 *
 *     locale_t before = dv_locale_enter();
 *     ...
 *     dv_locale_leave(before);
 *
 * A callback of the host program runs in the host's locale: uselocale(before), and back.
 */
#ifndef DV_BASE_LOCALE_H
#define DV_BASE_LOCALE_H

#include <locale.h>

/* Switches the calling thread to the locale "C", and returns its previous locale. */
locale_t dv_locale_enter(void);
void dv_locale_leave(locale_t before);

#endif
