package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// logger writes for people in a terminal and JSON elsewhere.
func (s *settings) logger() (logr.Logger, error) {
	level, ok := map[string]zapcore.Level{"error": zapcore.ErrorLevel, "info": zapcore.InfoLevel, "debug": zapcore.DebugLevel}[s.logLevel]
	if !ok {
		return logr.Logger{}, fmt.Errorf("--log-level is %q; it must be error, info or debug", s.logLevel)
	}
	format := s.logFormat
	if format == "" {
		format = "json"
		if term.IsTerminal(int(os.Stderr.Fd())) {
			format = "text"
		}
	}
	encoder, ok := map[string]zap.Opts{"text": zap.ConsoleEncoder(), "json": zap.JSONEncoder()}[format]
	if !ok {
		return logr.Logger{}, fmt.Errorf("--log-format is %q; it must be text or json", s.logFormat)
	}
	// A stack trace says where in controller-runtime an error was logged, which helps nobody.
	return zap.New(zap.Level(level), encoder, zap.StacktraceLevel(zapcore.PanicLevel), func(o *zap.Options) {
		o.TimeEncoder = zapcore.RFC3339TimeEncoder
	}), nil
}

// kubeconfigFlags are the flags of controller-runtime's client configuration.
func kubeconfigFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("kubeconfig", flag.ContinueOnError)
	config.RegisterFlags(flags)
	return flags
}
