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
	// To the option for the encoder itself: zap.Options.TimeEncoder reaches only the encoder that zap.New chooses.
	readable := func(c *zapcore.EncoderConfig) {
		c.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00")
	}
	encoder, ok := map[string]zap.Opts{"text": zap.ConsoleEncoder(readable), "json": zap.JSONEncoder(readable)}[format]
	if !ok {
		return logr.Logger{}, fmt.Errorf("--log-format is %q; it must be text or json", s.logFormat)
	}
	// A stack trace says where in controller-runtime an error was logged, which helps nobody.
	return zap.New(zap.Level(level), encoder, zap.StacktraceLevel(zapcore.PanicLevel)), nil
}

// kubeconfigFlags are the flags of controller-runtime's client configuration.
func kubeconfigFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("kubeconfig", flag.ContinueOnError)
	config.RegisterFlags(flags)
	return flags
}
