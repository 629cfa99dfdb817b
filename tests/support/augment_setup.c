#include "tests/support/augment_setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

dv_augment_config default_config(void)
{
    dv_augment_config config;
    must(dv_fields_default(dv_augment_fields, &config));
    return config;
}

dv_frontend *default_frontend(void)
{
    dv_features_config config;
    dv_frontend *frontend;
    must(dv_fields_default(dv_features_fields, &config));
    must(dv_frontend_create(&config, &frontend));
    return frontend;
}

setup open_setup(const dv_augment_config *config)
{
    setup s = {.frontend = default_frontend()};
    must(dv_augmenter_create(config, s.frontend, &s.augmenter));
    return s;
}

void close_setup(setup *s)
{
    dv_augmenter_free(s->augmenter);
    dv_frontend_free(s->frontend);
}
