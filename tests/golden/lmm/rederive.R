# Re-derive the reference values of tests/unit/mixed with lme4, lmerTest and emmeans.
#
#   Rscript rederive.R FOLDER_OF_THE_DATA OUT.json
#
# FOLDER holds small.csv.gz and medium.csv.gz. Debian: r-cran-lme4 r-cran-lmertest r-cran-emmeans
# r-cran-jsonlite.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(emmeans)
  library(jsonlite)
})
emm_options(lmer.df = "satterthwaite", lmerTest.limit = 1e5)
args <- commandArgs(trailingOnly = TRUE)
tight <- lmerControl(
  optimizer = "bobyqa", calc.derivs = FALSE,
  optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e5)
)

read <- function(size) {
  d <- read.csv(gzfile(file.path(args[1], paste0(size, ".csv.gz"))), stringsAsFactors = TRUE)
  number <- as.integer(substr(as.character(d$stimulus), 2, 5))
  d$band <- factor(sprintf("B%02d", number %/% 4))
  heard <- as.integer(substr(as.character(d$listener), 2, 5))
  d$taste <- factor(ifelse(heard %% 3 == 0, "high", "low"))
  d$week <- factor(seq_len(nrow(d)) %% 7)
  d$tempo <- 110 + 20 * d$x
  d
}

describe <- function(m) {
  s <- coef(summary(m))
  vc <- as.data.frame(VarCorr(m))
  a <- as.data.frame(anova(m, type = 3, ddf = "Satterthwaite"))
  list(
    names = rownames(s), beta = s[, "Estimate"], se = s[, "Std. Error"], df = s[, "df"],
    grp = vc$grp, var1 = vc$var1, var2 = vc$var2, sd = vc$sdcor, loglik = as.numeric(logLik(m)), aic = AIC(m), bic = BIC(m),
    type3 = list(term = rownames(a), F = a[["F value"]], den_df = a$DenDF, num_df = a$NumDF),
    singular = isSingular(m)
  )
}

small <- read("small")
medium <- read("medium")
fit <- function(formula, data = small, REML = TRUE) {
  lmer(formula, data = data, REML = REML, control = tight)
}
cells <- function(e) as.list(as.data.frame(e))

out <- list(versions = list(
  R = R.version.string, lme4 = as.character(packageVersion("lme4")),
  lmerTest = as.character(packageVersion("lmerTest")),
  emmeans = as.character(packageVersion("emmeans"))
))
out$small_int <- describe(fit(rating ~ genre * x + (1 | listener) + (1 | stimulus)))
out$small_slope <- describe(fit(rating ~ genre * x + (1 + x | listener) + (1 | stimulus)))
out$medium_int <- describe(fit(rating ~ genre * x + (1 | listener) + (1 | stimulus), medium))
out$medium_slope <- describe(fit(rating ~ genre * x + (1 + x | listener) + (1 | stimulus), medium))
out$uncorrelated <- describe(fit(rating ~ genre + x + (1 + x || listener) + (1 | stimulus)))
out$slope_only <- describe(fit(rating ~ x + (0 + x | listener) + (1 | stimulus)))
out$nested <- describe(fit(rating ~ x + (1 | listener) + (1 | band / stimulus), medium))
out$singular <- describe(fit(rating ~ x + (1 | listener) + (1 | stimulus) + (1 | week)))
out$tempo <- describe(fit(rating ~ tempo + (1 + tempo | listener) + (1 | stimulus)))
out$factor_slopes <- describe(
  fit(rating ~ genre + (1 + genre | listener) + (1 | stimulus), medium)
)

two <- fit(rating ~ genre * taste + x + (1 + x | listener) + (1 | stimulus))
out$two_factors <- describe(two)
means <- emmeans(two, "genre")
out$two_means <- cells(means)
out$two_holm <- cells(summary(pairs(emmeans(two, ~ genre | taste)), adjust = "holm"))
out$two_taste <- cells(pairs(emmeans(two, "taste")))

# emtrends looks the data up by name, so no wrapper here
curve <- lmer(rating ~ x + I(x^2) + (1 | listener) + (1 | stimulus), small, control = tight)
out$curve <- describe(curve)
out$curve_slopes <- cells(emtrends(curve, ~x, var = "x", at = list(x = c(-1, 0, 1.5))))

ml <- fit(rating ~ genre * x + (1 + x | listener) + (1 | stimulus), REML = FALSE)
out$ml <- describe(ml)
profile <- suppressMessages(confint(ml, parm = "theta_", method = "profile", oldNames = FALSE))
out$ml_profile <- list(names = rownames(profile), low = profile[, 1], high = profile[, 2])

slope <- fit(rating ~ genre * x + (1 + x | listener) + (1 | stimulus))
new <- small[c(1, 2, 600), ]
new$listener <- as.character(new$listener)
new$listener[3] <- "unheard"
out$predict <- list(
  fixed = unname(predict(slope, new, re.form = NA)),
  all = unname(predict(slope, new, re.form = NULL, allow.new.levels = TRUE)),
  stimulus = unname(predict(slope, new, re.form = ~ (1 | stimulus)))
)
holes <- small
holes$rating[seq(1, 1200, by = 11)] <- NA
out$holes <- describe(fit(rating ~ genre * x + (1 | listener) + (1 | stimulus), holes))

write_json(out, args[2], digits = 12, auto_unbox = TRUE, pretty = TRUE)
