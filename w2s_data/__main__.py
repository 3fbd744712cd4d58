from w2s_data.cli import main

main()
