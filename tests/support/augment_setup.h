/* An augmenter with a default front-end of its own. A failure fails the test at once. */
#ifndef DV_TESTS_AUGMENT_SETUP_H
#define DV_TESTS_AUGMENT_SETUP_H

#include "frontends/augment/augment.h"
#include "tests/support/must.h"

dv_augment_config default_config(void);
dv_frontend *default_frontend(void);

typedef struct setup {
    dv_frontend *frontend;
    dv_augmenter *augmenter;
} setup;

setup open_setup(const dv_augment_config *config);
void close_setup(setup *s);

#endif
