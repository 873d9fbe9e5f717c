package main

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// A template is not YAML, so while an object is changed a token stands for the lines of a template. It is the
// value of a key or an item of a list, and in the lines KEY stands for that key, INDENT for the indentation, and
// DEEPER for that of what is below the key.
func token(lines ...string) string {
	return "TOKEN" + hex.EncodeToString([]byte(strings.Join(lines, "\n")))
}

var tokenLine = regexp.MustCompile(`^( *)(?:(- )?(\S+): |- )TOKEN([0-9a-f]+)$`)

// merged is the key of lines that are added to those of a map, before them.
const merged = "~"

func (o object) merge(lines ...string) { o[strings.Repeat(merged, o.merges()+1)] = token(lines...) }

func (o object) merges() (count int) {
	for key := range o {
		if strings.Trim(key, merged) == "" {
			count++
		}
	}
	return count
}

// value is one value.
func value(expression string) string { return token("KEY: {{ " + expression + " }}") }

// whole is a value of many lines.
func whole(expression string) string {
	return token("KEY:", "  {{- toYaml "+expression+" | nindent DEEPER }}")
}

// optional is a value of many lines that is left out, with its key, where it is empty.
func optional(expression string) string {
	return token("{{- with "+expression+" }}", "KEY:", "  {{- toYaml . | nindent DEEPER }}", "{{- end }}")
}

// otherwise is a value of many lines, or what the manifest has where that is empty.
func otherwise(expression string, fallback any) string {
	lines := []string{"{{- with " + expression + " }}", "KEY:", "  {{- toYaml . | nindent DEEPER }}", "{{- else }}", "KEY:"}
	return token(append(append(lines, asLines(fallback)...), "{{- end }}")...)
}

// valueWhen is what the manifest has, where the condition is true.
func valueWhen(condition string, is any) string {
	lines := asLines(is)
	if _, nested := is.(map[string]any); !nested {
		return token("{{- if "+condition+" }}", "KEY: "+lines[0], "{{- end }}")
	}
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return token(append(append([]string{"{{- if " + condition + " }}", "KEY:"}, lines...), "{{- end }}")...)
}

// itemsWhen are items of a list that are there where the condition is true.
func itemsWhen(condition string, list ...any) string {
	return token(append(append([]string{"{{- if " + condition + " }}"}, asLines(list)...), "{{- end }}")...)
}

func asLines(value any) []string {
	content, err := yaml.Marshal(value)
	if err != nil {
		panic(err) // it came from YAML
	}
	// What looks like a template in a manifest, as in a dashboard, is none.
	text := strings.ReplaceAll(string(content), "{{", `{{ "{{" }}`)
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// asTemplate writes YAML, with the lines of templates where tokens stand.
func asTemplate(value any) string {
	var out strings.Builder
	for _, line := range asLines(value) {
		expand(&out, line)
	}
	return strings.NewReplacer(
		fullname, `{{ include "rollcall.fullname" $ }}-`,
		release, `{{ $.Release.Namespace }}`,
		watched, `{{ . }}`,
	).Replace(out.String())
}

func expand(out *strings.Builder, line string) {
	found := tokenLine.FindStringSubmatch(line)
	if found == nil {
		out.WriteString(line + "\n")
		return
	}
	indent, item, key, encoded := found[1], found[2], found[3], found[4]
	begin := indent + item
	indent += strings.Repeat(" ", len(item))
	lines, err := hex.DecodeString(encoded)
	if err != nil {
		panic(err) // token encoded it
	}
	text := strings.NewReplacer("KEY", key, "INDENT", strconv.Itoa(len(indent)), "DEEPER", strconv.Itoa(len(indent)+2)).Replace(string(lines))
	for below := range strings.SplitSeq(text, "\n") {
		expand(out, begin+below)
		begin = indent
	}
}
