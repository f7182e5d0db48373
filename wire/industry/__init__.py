"""Industrial and standard formats: Sparkplug B, SenML, LwM2M."""
