"""What every stage needs: parameters, paths, tables and a way to fail in one line."""
