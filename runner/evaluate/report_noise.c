/* The page's section on noise: the tables that dv_noise_curve_text prints. */
#include "runner/evaluate/noise_curve.h"
#include "runner/evaluate/report_html.h"
#include "runner/page/svg.h"

static void put_point(FILE *out, const dv_noise_point *point)
{
    char name[DV_NOISE_NAME_SIZE];
    fprintf(out,
            "<tr><th scope=\"row\">%s</th><td>%.2f&#160;%%</td><td>%lld/%lld</td>"
            "<td>%.2f&#160;%% to %.2f&#160;%%</td><td>%.4f</td><td>%.2f&#160;%%</td></tr>\n",
            dv_noise_point_name(point, name), 100 * dv_noise_accuracy(&point->score),
            (long long)point->score.correct, (long long)point->score.count, 100 * point->low,
            100 * point->high, point->loss, 100 * point->ece);
}

/* The accuracy at each point of the clips that each noise was given to. */
static void put_files(FILE *out, const dv_noise_curve *curve)
{
    char name[DV_NOISE_NAME_SIZE];
    fputs("<table id=\"noise-files\">\n<thead><tr><th scope=\"col\">noise file</th>"
          "<th scope=\"col\">clips</th>",
          out);
    for (size_t k = 0; k < curve->count; k++)
        fprintf(out, "<th scope=\"col\">%s</th>", dv_noise_point_name(&curve->points[k], name));
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < curve->noises.count; i++) {
        fputs("<tr><th scope=\"row\">", out);
        dv_svg_text(out, curve->noises.items[i].path);
        fprintf(out, "</th><td>%lld</td>", (long long)curve->points[0].by_file[i].count);
        for (size_t k = 0; k < curve->count; k++)
            fprintf(out, "<td>%.2f&#160;%%</td>",
                    100 * dv_noise_accuracy(&curve->points[k].by_file[i]));
        fputs("</tr>\n", out);
    }
    fputs("</tbody>\n</table>\n", out);
}

void dv__html_noise(FILE *out, const dv_noise_curve *curve)
{
    fputs("<section>\n<h2>Noise</h2>\n<p>The same clips with recorded noise added, by "
          "signal-to-noise ratio.</p>\n<table id=\"noise\">\n<thead><tr><th scope=\"col\">noise"
          "</th><th scope=\"col\">accuracy</th><th scope=\"col\">correct</th>"
          "<th scope=\"col\">95&#160;% interval</th><th scope=\"col\">loss</th>"
          "<th scope=\"col\">ECE</th></tr></thead>\n<tbody>\n",
          out);
    for (size_t k = 0; k < curve->count; k++)
        put_point(out, &curve->points[k]);
    fputs("</tbody>\n</table>\n", out);
    if (curve->noises.count > 1)
        put_files(out, curve);
    fputs("</section>\n", out);
}
