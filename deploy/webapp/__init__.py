"""The web app for people: Streamlit pages that reach model and databases through the gateway alone."""
