// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Settings from files. The main file is that of the administrator, else that of /run,
 * else the vendor's; then come the drop-ins of all three, sorted by name, where one
 * in a higher place hides its namesake. All or nothing: one bad value, and what held
 * before goes on to hold. libeconf reads the files, one by one, so that each error
 * names its file and line.
 */
#include <dirent.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <libeconf.h>
#include <libeconf_ext.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

#define FILE_NAME	"dmremapd.conf"
#define MAX_DROPINS	256

/* From the weakest to the strongest. */
static const char *const places[] = { CONFIG_VENDOR, CONFIG_RUN, CONFIG_ADMIN };
#define NR_PLACES (sizeof(places) / sizeof(places[0]))

static void econf_freep(econf_file **file)
{
	econf_freeFile(*file);
}

static void econf_freearrayp(char ***array)
{
	if (*array)
		econf_freeArray(*array);
}

static void econf_ext_freep(econf_ext_value **value)
{
	if (*value)
		econf_freeExtValue(*value);
}

static int fail(struct dmremap_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct dmremap_error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (err)
		vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

static int no_memory(struct dmremap_error *err)
{
	return fail(err, -ENOMEM, "Out of memory.");
}

static const struct config_key *find_key(const char *section, const char *name, bool of_set)
{
	const struct config_key *key;

	for (key = config_keys; key->name; key++)
		if (!strcmp(key->name, name) &&
		    (of_set ? key->of_set : !strcmp(key->section, section)))
			return key;
	return NULL;
}

static bool is_section(const char *section)
{
	const struct config_key *key;

	for (key = config_keys; key->name; key++)
		if (!strcmp(key->section, section))
			return true;
	return false;
}

/* Where a key of that name belongs, for who wrote it elsewhere. */
static int unknown_key(const char *file, uint64_t line, const char *section,
		       const char *name, bool of_set, struct dmremap_error *err)
{
	const struct config_key *key;

	for (key = config_keys; key->name; key++)
		if (!strcmp(key->name, name))
			return fail(err, -EINVAL, "%s:%" PRIu64 ": \"%s\" belongs in section [%s]%s.",
				    file, line, name, key->section,
				    of_set ? " and can not differ between sets" : "");
	return fail(err, -EINVAL, "%s:%" PRIu64 ": there is no setting \"%s\" in section [%s]; \"dmremapd --print-config\" shows all of them.",
		    file, line, name, section);
}

static struct set_config *named_config(struct config *config, const char *name)
{
	struct named_config *sets;
	unsigned int i;

	for (i = 0; i < config->nr_sets; i++)
		if (!strcmp(config->sets[i].name, name))
			return &config->sets[i].config;
	sets = reallocarray(config->sets, config->nr_sets + 1, sizeof(*sets));
	if (!sets)
		return NULL;
	config->sets = sets;
	sets += config->nr_sets++;
	snprintf(sets->name, sizeof(sets->name), "%s", name);
	sets->config = config->defaults;
	return &sets->config;
}

/* The name in "set NAME", or NULL. */
static const char *section_set(const char *section)
{
	if (strncmp(section, "set ", 4))
		return NULL;
	section += 4;
	return section + strspn(section, " ");
}

static int apply_key(struct config *config, econf_file *file, const char *path,
		     const char *section, const char *name, struct dmremap_error *err)
{
	_cleanup_(econf_ext_freep) econf_ext_value *found = NULL;
	const char *set = section_set(section), *text;
	const struct config_key *key;
	char allowed[160];
	uint64_t line = 0;
	void *base;

	if (econf_getExtValue(file, section, name, &found) == ECONF_SUCCESS)
		line = found->line_number;
	text = found && found->values && found->values[0] ? found->values[0] : "";
	key = find_key(section, name, set);
	if (!key)
		return unknown_key(path, line, section, name, set, err);
	base = set ? (void *)named_config(config, set) :
	       key->of_set ? (void *)&config->defaults : (void *)config;
	if (!base)
		return no_memory(err);
	if (found && found->values && found->values[0] && found->values[1])
		return fail(err, -EINVAL, "%s:%" PRIu64 ": \"%s\" in section [%s] takes one line.",
			    path, line, name, section);
	if (config_parse(key, text, base, allowed, sizeof(allowed)) < 0)
		return fail(err, -EINVAL, "%s:%" PRIu64 ": \"%s\" in section [%s] is \"%s\", but must be %s.",
			    path, line, name, section, text, allowed);
	return 0;
}

static int apply_section(struct config *config, econf_file *file, const char *path,
			 const char *section, struct dmremap_error *err)
{
	_cleanup_(econf_freearrayp) char **names = NULL;
	const char *set = section_set(section);
	const struct config_key *key;
	size_t i, nr = 0;
	int ret;

	if (set && (!*set || strlen(set) >= DMREMAP_NAME_SIZE))
		return fail(err, -EINVAL, "%s: section [%s] must name a set, as in [set home].",
			    path, section);
	if (!set && !is_section(section))
		return fail(err, -EINVAL, "%s: there is no section [%s]; \"dmremapd --print-config\" shows all of them.",
			    path, section);
	/*
	 * Each key is asked for by name, as libeconf 0.5 leaves one out of its list if the
	 * entry before it, in another section, has the same name.
	 */
	for (key = config_keys; key->name; key++) {
		_cleanup_(econf_ext_freep) econf_ext_value *found = NULL;

		if (key != find_key(section, key->name, set) ||
		    econf_getExtValue(file, section, key->name, &found) != ECONF_SUCCESS)
			continue;
		ret = apply_key(config, file, path, section, key->name, err);
		if (ret < 0)
			return ret;
	}
	/* The list is for those that there are not. */
	if (econf_getKeys(file, section, &nr, &names) != ECONF_SUCCESS)
		return 0;
	for (i = 0; i < nr; i++)
		if (!find_key(section, names[i], set))
			return apply_key(config, file, path, section, names[i], err);
	return 0;
}

/* Sections of all sets first (@sets false): what they say holds for named ones too. */
static int apply_file(struct config *config, econf_file *file, const char *path, bool sets,
		      struct dmremap_error *err)
{
	_cleanup_(econf_freearrayp) char **sections = NULL;
	_cleanup_(econf_freearrayp) char **names = NULL;
	size_t i, nr = 0;
	int ret;

	if (econf_getKeys(file, NULL, &nr, &names) == ECONF_SUCCESS && nr)
		return fail(err, -EINVAL, "%s: \"%s\" stands before the first section.", path,
			    names[0]);
	nr = 0;
	if (econf_getGroups(file, &nr, &sections) != ECONF_SUCCESS)
		return 0;
	for (i = 0; i < nr; i++) {
		if (!!section_set(sections[i]) != sets)
			continue;
		ret = apply_section(config, file, path, sections[i], err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

struct file_list {
	unsigned int nr;
	char paths[MAX_DROPINS][DMREMAP_PATH_SIZE];
};

static int add_file(struct file_list *list, const char *path, struct dmremap_error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail(err, -errno, "Can not read %s: %s.", path,
						  strerror(errno));
	if (list->nr == MAX_DROPINS)
		return fail(err, -E2BIG, "There are more than %d files of configuration.",
			    MAX_DROPINS);
	/* Masked: an empty one, or a link to /dev/null. */
	if (S_ISREG(st.st_mode) && st.st_size)
		strcpy(list->paths[list->nr++], path);
	return 1;
}

static int is_conf(const struct dirent *entry)
{
	return !fnmatch("[!.]*.conf", entry->d_name, 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names of all drop-ins, each once, sorted. */
static int list_dropins(const char *root, struct file_list *names, struct dmremap_error *err)
{
	char path[2 * DMREMAP_PATH_SIZE];
	struct dirent **entries = NULL;
	unsigned int place, i, kept;
	int n, ret = 0;

	for (place = 0; place < NR_PLACES; place++) {
		snprintf(path, sizeof(path), "%s%s/%s.d", root, places[place], FILE_NAME);
		n = scandir(path, &entries, is_conf, NULL);
		if (n < 0 && errno != ENOENT && errno != ENOTDIR)
			return fail(err, -errno, "Can not read the folder %s: %s.", path,
				    strerror(errno));
		while (n-- > 0) {
			if (names->nr < MAX_DROPINS)
				snprintf(names->paths[names->nr++], DMREMAP_PATH_SIZE, "%s",
					 entries[n]->d_name);
			else
				ret = fail(err, -E2BIG, "There are more than %d drop-ins.",
					   MAX_DROPINS);
			free(entries[n]);
		}
		free(entries);
		entries = NULL;
	}
	qsort(names->paths, names->nr, DMREMAP_PATH_SIZE, by_name);
	for (i = kept = 0; i < names->nr; i++)
		if (!kept || strcmp(names->paths[kept - 1], names->paths[i]))
			memmove(names->paths[kept++], names->paths[i], DMREMAP_PATH_SIZE);
	names->nr = kept;
	return ret;
}

static int list_files(const char *root, struct file_list *list, struct dmremap_error *err)
{
	_cleanup_free_ struct file_list *names = calloc(1, sizeof(*names));
	char path[DMREMAP_PATH_SIZE];
	unsigned int i;
	int place, ret;

	if (!names)
		return no_memory(err);
	for (place = NR_PLACES - 1, ret = 0; place >= 0 && !ret; place--) {
		snprintf(path, sizeof(path), "%s%s/%s", root, places[place], FILE_NAME);
		ret = add_file(list, path, err);
	}
	if (ret >= 0)
		ret = list_dropins(root, names, err);
	for (i = 0; i < names->nr && ret >= 0; i++) {
		for (place = NR_PLACES - 1, ret = 0; place >= 0 && !ret; place--) {
			if ((size_t)snprintf(path, sizeof(path), "%s%s/%s.d/%s", root,
					     places[place], FILE_NAME, names->paths[i]) >=
			    sizeof(path))
				return fail(err, -ENAMETOOLONG, "The name %s is too long.",
					    names->paths[i]);
			ret = add_file(list, path, err);
		}
	}
	return ret < 0 ? ret : 0;
}

static int read_file(const char *path, econf_file **file, struct dmremap_error *err)
{
	econf_err code = econf_readFile(file, path, "=", "#;");
	char *where = NULL;
	uint64_t line = 0;

	if (code == ECONF_SUCCESS)
		return 0;
	econf_errLocation(&where, &line);
	free(where);
	return fail(err, code == ECONF_NOMEM ? -ENOMEM : -EINVAL, "%s:%" PRIu64 ": %s.", path,
		    line, econf_errString(code));
}

static void set_defaults(struct config *config)
{
	const struct config_key *key;
	char allowed[160];

	for (key = config_keys; key->name; key++)
		if (config_parse(key, key->value, key->of_set ? (void *)&config->defaults :
				 (void *)config, allowed, sizeof(allowed)) < 0)
			abort();
}

int config_load(const char *root, struct config **result, struct dmremap_error *err)
{
	_cleanup_free_ struct file_list *list = calloc(1, sizeof(*list));
	struct config *config = calloc(1, sizeof(*config));
	unsigned int i;
	int ret, sets;

	if (!list || !config) {
		free(config);
		return no_memory(err);
	}
	set_defaults(config);
	ret = list_files(root, list, err);
	for (sets = 0; sets < 2 && ret >= 0; sets++) {
		for (i = 0; i < list->nr && ret >= 0; i++) {
			_cleanup_(econf_freep) econf_file *file = NULL;

			ret = read_file(list->paths[i], &file, err);
			if (!ret)
				ret = apply_file(config, file, list->paths[i], sets, err);
		}
	}
	if (ret < 0) {
		config_free(config);
		return ret;
	}
	*result = config;
	return 0;
}

void config_free(struct config *config)
{
	if (config)
		free(config->sets);
	free(config);
}

const struct set_config *config_of(const struct config *config, const char *name,
				   const char *uuid)
{
	unsigned int i;

	for (i = 0; i < config->nr_sets; i++)
		if (!strcmp(config->sets[i].name, name) || !strcmp(config->sets[i].name, uuid))
			return &config->sets[i].config;
	return &config->defaults;
}

static void print_keys(const struct config *config, const struct set_config *set,
		       bool only_different, FILE *file)
{
	char value[DMREMAP_PATH_SIZE], usual[DMREMAP_PATH_SIZE];
	const struct config_key *key;
	const char *section = "";
	const void *base;

	for (key = config_keys; key->name; key++) {
		if (only_different && !key->of_set)
			continue;
		base = key->of_set ? (const void *)set : (const void *)config;
		config_format(key, base, value, sizeof(value));
		if (only_different) {
			config_format(key, &config->defaults, usual, sizeof(usual));
			if (strcmp(value, usual))
				fprintf(file, "%s = %s\n", key->name, value);
			continue;
		}
		if (strcmp(section, key->section))
			fprintf(file, "%s[%s]\n", *section ? "\n" : "", key->section);
		section = key->section;
		fprintf(file, "# %s%s%s%s\n%s = %s\n", key->help,
			*key->value ? " Default: " : "", key->value, *key->value ? "." : "",
			key->name, value);
	}
}

void config_print(const struct config *config, FILE *file)
{
	unsigned int i;

	print_keys(config, &config->defaults, false, file);
	for (i = 0; i < config->nr_sets; i++) {
		fprintf(file, "\n[set %s]\n", config->sets[i].name);
		print_keys(config, &config->sets[i].config, true, file);
	}
}
